from django.contrib import admin


class AdminSite(admin.AdminSite):
    site_header = site_title = "Leadwire"
    index_title = "Administration"
