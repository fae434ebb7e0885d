// Of a list with boxes: one that selects all, and how many are selected.
const boxes = [...document.querySelectorAll('input[form="chosen"]')];
const all = document.querySelector('[data-select-all]');
if (all && boxes.length > 0) {
  const count = () => {
    const chosen = boxes.filter(({ checked }) => checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    document.querySelector('[data-chosen]').textContent = `${chosen} selected`;
  };
  all.hidden = false;
  all.addEventListener('change', () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  for (const box of boxes) box.addEventListener('change', count);
  // The browser may have kept what was selected.
  count();
}
