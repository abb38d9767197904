// What scrolls sideways by itself can be scrolled by keyboard, and links whose words are hidden have a name.
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("div.formula, main table.table")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
  for (const link of document.querySelectorAll(".sphx-glr-thumbcontainer a")) {
    link.setAttribute("aria-label", link.textContent);
  }
});
