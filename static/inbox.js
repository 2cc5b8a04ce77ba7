// The inbox: the list stays while one conversation after the other is read beside it.
(() => {
  // A conversation is read from its end.
  const toTheEnd = () => document.querySelectorAll("[data-at-the-end]").forEach((log) => { log.scrollTop = log.scrollHeight; });

  // Pictures make it longer while they load.
  let drawnAt = Date.now();
  document.addEventListener("load", (event) => { if (event.target.closest?.("[data-at-the-end]") && Date.now() - drawnAt < 3000) toTheEnd(); }, true);

  // The row of the conversation that was read or changed, as it is now.
  const renewRow = () => document.querySelectorAll("template[data-row]").forEach((template) => {
    const old = document.getElementById(template.dataset.row);
    const fresh = template.content.firstElementChild;
    template.remove();
    if (!old || !fresh) return;
    const hadFocus = old.contains(document.activeElement), wasTicked = old.querySelector("[data-key-pick]")?.checked;
    old.replaceWith(fresh);
    htmx.process(fresh);
    if (wasTicked) fresh.querySelector("[data-key-pick]").checked = true;
    if (hadFocus) fresh.querySelector("a.row-link").focus();
  });

  // Which conversation of the list is open.
  const markCurrent = () => document.querySelectorAll(".inbox-row a.row-link").forEach((link) => {
    if (new URL(link.href).pathname === location.pathname) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  });

  const drawn = () => { drawnAt = Date.now(); renewRow(); markCurrent(); toTheEnd(); prepare(); };
  document.addEventListener("htmx:afterSettle", drawn);
  document.addEventListener("htmx:pushedIntoHistory", markCurrent);
  document.addEventListener("inbox:renewed", markCurrent);

  // What only works with scripts is shown by them.
  const prepare = () => document.querySelectorAll("[data-scripted]").forEach((element) => { element.hidden = false; });

  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-pick-all]");
    if (!all) return;
    const boxes = document.querySelectorAll(`input[name="${all.dataset.pickAll}"]`);
    boxes.forEach((box) => { box.checked = all.checked; });
    boxes[0]?.dispatchEvent(new Event("change", { bubbles: true }));
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest(".composer")) {
      event.preventDefault();
      document.querySelector("[data-ctrl-enter]")?.click();
    }
    if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
  });

  // A saved reply goes where the cursor stands; "/" in an empty answer opens their list.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (!button) return;
    event.preventDefault();
    const area = button.closest("form").querySelector("textarea"), text = document.getElementById(button.dataset.insert).textContent;
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
    button.closest("details").open = false;
    area.focus();
  });
  document.addEventListener("keydown", (event) => {
    const menu = document.getElementById("saved-menu");
    if (event.key !== "/" || !menu || event.target.id !== "id_content" || event.target.value) return;
    event.preventDefault();
    menu.open = true;
    menu.querySelector("input").focus();
  });
  document.addEventListener("input", (event) => {
    const words = event.target.value?.toLowerCase(), list = document.getElementById(event.target.dataset?.finds);
    list?.querySelectorAll("li").forEach((item) => { item.hidden = !item.textContent.toLowerCase().includes(words); });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.dataset?.finds) return;
    event.preventDefault();  // not the form's first button: that would send the answer
    document.getElementById(event.target.dataset.finds).querySelector("li:not([hidden]) button")?.click();
  });

  // A menu takes the focus, and closes when something else gets it.
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details.menu") && event.newState === "open") event.target.querySelector("input:not([type=hidden]):not([hidden]), button")?.focus();
  }, true);
  document.addEventListener("click", (event) => document.querySelectorAll("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }));

  prepare();
  toTheEnd();
})();
