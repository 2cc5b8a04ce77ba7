// Small comforts over plain forms and links; every page works without them.
(() => {
  // What screen readers hear.
  const say = (words) => { const region = document.getElementById("live"); if (region) { region.textContent = ""; setTimeout(() => { region.textContent = words; }, 50); } };

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const from = document.getElementById(copy.dataset.copy);
      const text = from.value ?? from.textContent;
      try { await navigator.clipboard.writeText(text); } catch {
        const range = document.createRange(); range.selectNodeContents(from); getSelection().removeAllRanges(); getSelection().addRange(range); document.execCommand("copy");
      }
      const label = copy.textContent; copy.textContent = "Copied"; say("Copied"); setTimeout(() => { copy.textContent = label; }, 1500);
    }
    const opener = event.target.closest("[data-dialog]");
    if (opener) { event.preventDefault(); const dialog = document.getElementById(opener.dataset.dialog); dialog.opener = opener.id; dialog.showModal(); }
    const closer = event.target.closest("[data-close]");
    if (closer) { event.preventDefault(); closer.closest("dialog").close(); }
    const tab = event.target.closest("[data-tab]");
    if (tab) {
      const group = tab.closest("[data-tabs]");
      group.querySelectorAll("[data-tab]").forEach((one) => one.setAttribute("aria-selected", String(one === tab)));
      group.querySelectorAll("[data-panel]").forEach((one) => { one.hidden = one.dataset.panel !== tab.dataset.tab; });
    }
  });

  // A dialog that is part of a page without scripts opens as a real one here, and gives the focus back.
  const prepare = (root) => {
    root.querySelectorAll("dialog[open]:not(:modal)").forEach((dialog) => { dialog.close(); dialog.showModal(); });
    root.querySelectorAll("dialog").forEach((dialog) => dialog.addEventListener("close", () => document.getElementById(dialog.opener)?.focus(), { once: false }));
    root.querySelectorAll("select[data-submit]").forEach((select) => select.addEventListener("change", () => select.form.requestSubmit()));
    announce(root);
    root.querySelectorAll("textarea[data-draft]").forEach(restoreDraft);
  };

  // Results stay on the page; only what is new is said.
  let heard = new Set();
  const announcements = () => [...document.querySelectorAll("[data-announce]")].map((one) => one.textContent.trim());
  const announce = (root) => {
    const fresh = [...root.querySelectorAll("[data-announce]")].find((one) => !heard.has(one.textContent.trim()));
    if (fresh) say(fresh.textContent.trim());
    heard = new Set(announcements());
  };

  // What somebody types is kept: until it is sent, and when the part of the page around it is drawn anew.
  const draftOf = (area) => `draft:${area.dataset.draft}`;
  const restoreDraft = (area) => {
    if (area.value) localStorage.setItem(draftOf(area), area.value);  // an answer that was refused
    else area.value = localStorage.getItem(draftOf(area)) ?? "";
  };
  document.addEventListener("input", (event) => {
    const area = event.target.closest("textarea[data-draft]");
    if (!area) return;
    if (area.value) localStorage.setItem(draftOf(area), area.value); else localStorage.removeItem(draftOf(area));
  });
  const forget = (form) => form?.querySelectorAll?.("textarea[data-draft]").forEach((area) => localStorage.removeItem(draftOf(area)));
  document.addEventListener("submit", (event) => { if (!event.target.hasAttribute("hx-post")) forget(event.target); });
  document.addEventListener("submit", (event) => {
    if (!event.target.hasAttribute("data-forgets-drafts")) return;
    Object.keys(localStorage).filter((key) => key.startsWith("draft:")).forEach((key) => localStorage.removeItem(key));
  });

  const isDirty = (field) => field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
  const fields = (root) => [...root.querySelectorAll("input:not([type=hidden]), textarea")].filter((field) => field.name);
  const nameOf = (field) => `${field.id || field.name}:${field.type === "checkbox" || field.type === "radio" ? field.value : ""}`;
  let typed = new Map();
  const keepTyped = (event) => {
    typed = new Map();
    if (event.detail.target.matches?.("[data-other]")) return;  // what comes is something else: its fields are not these
    const sender = event.detail.requestConfig?.elt?.closest("form"), included = sender?.getAttribute("hx-include");
    const replaced = new Set(sender && !sender.isConnected ? fields(sender).map(nameOf) : []);
    const isSent = (field) => sender?.contains(field) || replaced.has(nameOf(field)) || (field.id && included === `#${field.id}`);
    typed = new Map(fields(event.detail.target).filter((field) => isDirty(field) && !isSent(field)).map((field) => [nameOf(field), field]));
    if (event.detail.xhr.status < 300) forget(sender);
  };
  document.addEventListener("htmx:beforeSwap", keepTyped);
  // Sent, and the page goes on elsewhere: nothing is swapped.
  document.addEventListener("htmx:afterRequest", ({ detail: { xhr, elt } }) => {
    if (xhr?.status < 300 && (xhr.getResponseHeader("HX-Location") || xhr.getResponseHeader("HX-Redirect"))) forget(elt.closest("form"));
  });

  // Two buttons of one panel pressed quickly: the first answer takes the panel away that the second one was to replace.
  // The second one replaces what stands there now, instead of an element that nobody sees.
  document.addEventListener("htmx:beforeRequest", ({ detail: { target, xhr } }) => target.addEventListener("htmx:beforeSwap", (swap) => {
    if (swap.detail.xhr !== xhr || target.isConnected) return;
    const now = document.getElementById(target.id);
    // Somebody went on to something else meanwhile: what was done is done, and is shown when they come back.
    if (now && now.dataset.conversation !== target.dataset.conversation) { swap.detail.shouldSwap = false; return; }
    swap.detail.target = now ?? target;
    keepTyped(swap);
  }));
  document.addEventListener("htmx:beforeRequest", ({ detail: { elt, xhr } }) => elt.addEventListener("htmx:beforeOnLoad", (load) => {
    if (load.detail.xhr === xhr && !elt.isConnected && xhr.getResponseHeader("HX-Location")) load.preventDefault();
  }));
  const restoreTyped = (root) => fields(root).forEach((field) => {
    const before = typed.get(nameOf(field));
    if (!before) return;
    if (field.type === "file") field.files = before.files;  // the only way that a script may choose files
    else { field.value = before.value; field.checked = before.checked; }
  });

  // What went wrong is said where it was tried.
  const complain = (element, words, link) => {
    const place = element.closest?.(".composer, .card-i, form") ?? document.getElementById("main");
    place.querySelector(":scope > .went-wrong")?.remove();
    const note = document.createElement("div");
    note.className = "note bad went-wrong"; note.setAttribute("role", "alert"); note.textContent = words;
    if (link) { const a = document.createElement("a"); a.href = link.href; a.textContent = link.words; note.append(" ", a); }
    place.prepend(note);
    note.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("htmx:sendError", (event) => complain(event.target, "Not sent. You seem to be offline. Try again."));
  document.addEventListener("htmx:timeout", (event) => complain(event.target, "No answer came. Try again."));
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401) complain(event.target, "You were logged out. Log in, your text is kept.", { href: `/accounts/login/?next=${encodeURIComponent(location.pathname)}`, words: "Log in" });
    else if (status === 403) complain(event.target, "This was refused. Reload the page: it may have expired, or you may not have permission.");
    else complain(event.target, `That did not work (${status}). Try again, or reload the page.`);
  });
  document.addEventListener("htmx:beforeRequest", (event) => event.target.closest?.(".composer, .card-i, form")?.querySelector(":scope > .went-wrong")?.remove());

  // Times are shown in the browser's zone, until somebody chooses another one.
  const guess = document.body.dataset.guessZone, zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (guess && zone && zone !== "UTC" && !localStorage.getItem("zone")) {
    localStorage.setItem("zone", zone);  // once: who then chooses UTC keeps it
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
    fetch(guess, { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams({ time_zone: zone, guess: "1" }) });
  }

  // How many are chosen.
  const count = () => document.querySelectorAll("[data-count-of]").forEach((place) => {
    const chosen = document.querySelectorAll(`input[name="${place.dataset.countOf}"]:checked`).length;
    place.textContent = chosen ? `${chosen} chosen` : place.dataset.none ?? "None chosen";
  });
  document.addEventListener("change", count);
  count();

  // What cannot be undone is asked for first.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-confirm]");
    if (!button || button.dataset.confirmed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const dialog = document.createElement("dialog");
    const title = document.createElement("h2"), row = document.createElement("div"), no = document.createElement("button"), yes = document.createElement("button");
    title.id = "confirm-title"; title.textContent = button.dataset.confirm; dialog.setAttribute("aria-labelledby", title.id);
    row.className = "row-end"; no.className = "btn btn-quiet"; no.textContent = "Cancel"; yes.className = "btn btn-danger-solid"; yes.textContent = button.dataset.confirmDo ?? button.textContent;
    no.addEventListener("click", () => dialog.close());
    yes.addEventListener("click", () => { dialog.close(); button.dataset.confirmed = "1"; button.click(); delete button.dataset.confirmed; });
    dialog.addEventListener("close", () => { dialog.remove(); button.focus(); });
    row.append(no, yes); dialog.append(title, row); document.body.append(dialog); dialog.showModal();
  }, true);

  prepare(document);

  // After a swap the same control has the focus again; htmx keeps it where the id is the same.
  document.addEventListener("htmx:afterSwap", (event) => {
    const root = event.target.isConnected ? event.target : document;
    restoreTyped(root); typed = new Map();
    prepare(root);
    if (document.activeElement === document.body) document.querySelector(`#${event.detail.target?.id ?? "main"}-title`)?.focus();
  });

  // Relative times grow old in place.
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
  const refresh = () => document.querySelectorAll("time[data-relative]").forEach((time) => {
    const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
    const unit = units.find(([, size]) => Math.abs(seconds) >= size);
    time.textContent = unit ? words.format(Math.round(seconds / unit[1]), unit[0]) : seconds > 1 ? "in a moment" : "just now";
  });
  setInterval(refresh, 30000);
})();
