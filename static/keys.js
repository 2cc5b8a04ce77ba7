// Single keys on pages where people work all day. An element says which key is its own: data-key="r".
(() => {
  const STORED = "keys";
  const areOff = () => localStorage.getItem(STORED) === "off";
  const isElsewhere = (element) => element.closest("input:not([type=checkbox]), textarea, select, dialog");

  const fieldOf = (menu) => menu.querySelector("input:not([type=hidden]):not([hidden]), button");

  // The row after the one that has the focus, or before it; the first one where none has it.
  const move = (step) => {
    const rows = [...document.querySelectorAll("[data-key-rows] a.row-link")];
    const now = rows.indexOf(document.activeElement.closest("a.row-link") ?? document.querySelector("[data-key-rows] a[aria-current]"));
    (rows[now < 0 ? 0 : now + step] ?? rows[now])?.focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && event.target.matches("[data-key]")) return event.target.blur();
    if (areOff() || isElsewhere(event.target)) return;
    if (event.key === "j" || event.key === "k") return move(event.key === "j" ? 1 : -1);
    if (event.key === "x") {
      const box = document.activeElement.closest("li")?.querySelector("[data-key-pick]");
      if (box) box.click();
      return;
    }
    const own = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!own) return;
    event.preventDefault();
    if (own.matches("summary")) {
      own.click();
      fieldOf(own.parentElement)?.focus();  // now: the next letter belongs to the field, and is no key
    } else if (own.matches("a, button")) own.click(); else own.focus();
  });

  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("keys-on");
    if (!box) return;
    document.querySelectorAll(".keys-link").forEach((link) => { link.hidden = false; });
    box.checked = !areOff();
    box.addEventListener("change", () => { if (box.checked) localStorage.removeItem(STORED); else localStorage.setItem(STORED, "off"); });
  });
})();
