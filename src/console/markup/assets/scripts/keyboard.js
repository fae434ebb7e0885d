// `/` leads to the search from wherever nothing is typed.
addEventListener('keydown', (event) => {
  const isTyping = event.target.closest?.('input:not([type="checkbox"]), textarea, select');
  if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.getElementById('find');
  if (search === null) return;
  event.preventDefault();
  search.focus();
  search.select();
});

// A menu closes by Escape, by what is done elsewhere, and when the focus leaves it.
addEventListener('keydown', (event) => {
  const menu = event.key === 'Escape' && document.querySelector('details.menu[open]');
  if (!menu) return;
  const { activeElement: at } = document;
  menu.open = false;
  // Opened by a click, it may not have the focus, which then goes where it was meant to be.
  if (at === document.body || menu.contains(at)) menu.querySelector('summary').focus();
});
addEventListener('focusout', ({ target, relatedTarget: next }) => {
  const menu = target.closest?.('details.menu[open]');
  if (menu && next && !menu.contains(next)) menu.open = false;
});
addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
