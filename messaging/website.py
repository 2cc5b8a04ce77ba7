"""The website form: the channel, and the HTML that a business pastes into its page."""

from __future__ import annotations

from django.conf import settings

from accounts.models import Source
from messaging.base import Account, Outgoing, Provider
from messaging.failures import NotSent


class WebsiteForm(Provider):
    """The form on the business's website: leads write there, answers go by another channel."""

    slug, label, channel = "form", "Website form", "website"
    is_built_in = True

    def send(self, account: Account, message: Outgoing) -> str:
        raise NotSent("channel.unavailable", "The website form only receives.", is_permanent=True)


HONEYPOT, NONCE = "_website", "_nonce"


_FORM = """<form method="post" action="{base}/forms/{source_id}">
  <label>Name <input name="name" autocomplete="name" required></label>
  <label>Email <input name="email" type="email" autocomplete="email" required></label>
  <label>Phone <input name="phone" type="tel" autocomplete="tel"></label>
  <label>Message <textarea name="message" required></textarea></label>
  <!-- Leave these two as they are: they keep robots and double clicks out. -->
  <input name="_website" tabindex="-1" autocomplete="off" hidden>
  <input name="_nonce" type="hidden">
  <button>Send</button>
</form>
<script>
  (function (form) {{
    addEventListener("pageshow", function () {{ form.elements._nonce.value = ""; }});
    form.addEventListener("submit", function () {{
      var random = Array.from(crypto.getRandomValues(new Uint32Array(4)));
      form.elements._nonce.value = form.elements._nonce.value || random.join("-");
    }});
  }})(document.currentScript.previousElementSibling);
</script>"""


def form_snippet(source: Source) -> str:
    """The HTML of the website form."""
    return _FORM.format(base=settings.BASE_URL, source_id=source.public_id)
