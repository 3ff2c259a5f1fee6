"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const search = document.getElementById("filter-text");
  const reliable = document.getElementById("filter-reliable");
  const state = document.getElementById("filter-state");
  const mixups = Array.from(document.querySelectorAll(".mixup"));

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const mixup of mixups) {
      let here = 0;
      for (const card of mixup.querySelectorAll(".card")) {
        const text = card.dataset.text.toLowerCase();
        const fits =
          words.every((word) => text.includes(word)) &&
          (!reliable.checked || card.hasAttribute("data-reliable"));
        card.hidden = !fits;
        here += fits ? 1 : 0;
      }
      mixup.hidden = here === 0;
      left += here;
    }
    const asked = words.length > 0 || reliable.checked;
    state.textContent = asked ? `${left} shown` : "";
  };
  if (search) {
    search.addEventListener("input", filter);
    reliable.addEventListener("change", filter);
  }

  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.hidden) {
      search.value = "";
      reliable.checked = false;
      filter();
    }
    if (target instanceof HTMLDetailsElement) {
      const all = target.closest(".rights");
      if (all) all.open = true;
      target.open = true;
    }
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);
  if (location.hash) reveal();

  const dialog = document.createElement("dialog");
  const large = document.createElement("img");
  const caption = document.createElement("p");
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.append(large, caption, close);
  document.body.append(dialog);

  for (const picture of document.querySelectorAll(".picture")) {
    const small = picture.querySelector("img");
    if (!small) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "picture";
    button.setAttribute("aria-label", `Enlarge ${small.alt}`);
    button.append(small);
    button.addEventListener("click", () => {
      large.src = small.src;
      large.alt = small.alt;
      caption.textContent = small.alt;
      dialog.showModal();
    });
    picture.replaceWith(button);
  }
})();
