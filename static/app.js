// Small comforts over plain forms and links; every page works without them.
(() => {
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
    const fresh = root.querySelector("[data-announce]"); if (fresh) say(fresh.textContent.trim());
  };
  prepare(document);

  // After a swap the same control has the focus again; htmx keeps it where the id is the same.
  document.addEventListener("htmx:afterSwap", (event) => prepare(event.target.isConnected ? event.target : document));
  document.addEventListener("htmx:responseError", (event) => say(`That did not work (${event.detail.xhr.status}). Load the page again.`));

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
