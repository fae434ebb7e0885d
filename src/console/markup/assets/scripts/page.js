// What pages do better with script than without. Nothing here is needed to use them.

const status = document.getElementById('status');

function tell(text) {
  status.textContent = '';
  // Said again even where it is the same text.
  requestAnimationFrame(() => {
    status.textContent = text;
  });
}

// A page that comes back from memory may hold what is over: a session, a form that was sent.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

// What a form made is to be looked at, and not made again, when the page is loaded again or come back to.
const { shownAs } = document.getElementById('main').dataset;
if (shownAs) history.replaceState(null, '', shownAs);

// A time in the reader's zone, which it names; that of the server stays in its title.
function showTimes(root) {
  const year = new Date().getFullYear();
  for (const time of root.querySelectorAll('time')) {
    const at = new Date(time.dateTime);
    const text = at.toLocaleString(undefined, {
      ...{ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' },
      ...(at.getFullYear() !== year && { year: 'numeric' }),
      ...(!time.closest('table, dl, ol, ul, .standing') && { second: '2-digit' }),
    });
    if ('ago' in time.dataset) {
      time.title = text;
    } else {
      time.title = time.textContent;
      time.textContent = text;
    }
  }
}
showTimes(document);
addEventListener('filled', (event) => showTimes(event.target));

for (const button of document.querySelectorAll('[data-copy]')) {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener('click', async () => {
    const isCopied = await copy(field);
    button.textContent = isCopied ? 'Copied' : 'Copy';
    tell(isCopied ? 'Copied.' : 'It could not be copied: select it, and copy it with the keyboard.');
  });
}

for (const field of document.querySelectorAll('[data-secret]')) {
  addEventListener('pagehide', () => {
    field.textContent = '';
    field.value = '';
  });
}

async function copy(field) {
  try {
    await navigator.clipboard.writeText(field.value ?? field.textContent);
    return true;
  } catch {
    // The clipboard is there for pages that came by HTTPS or from this machine alone.
    if (field.select) field.select();
    else getSelection().selectAllChildren(field);
    return document.execCommand('copy');
  }
}

for (const form of document.querySelectorAll('form[method="post"]')) {
  let isSent = false;
  form.addEventListener('submit', (event) => {
    if (isSent) event.preventDefault();
    const { progress } = form.dataset;
    if (isSent || !progress) return;
    isSent = true;
    const button = event.submitter ?? form.querySelector('button');
    const text = button.textContent;
    button.setAttribute('aria-disabled', 'true');
    button.textContent = progress;
    tell(progress);
    // There is no answer, or the reader stopped it: it may be sent again.
    setTimeout(() => {
      isSent = false;
      button.removeAttribute('aria-disabled');
      button.textContent = text;
    }, 10_000);
  });
}

for (const field of document.querySelectorAll('[data-check]')) {
  const error = document.getElementById(`${field.id}-error`);
  let timer;
  let asked = 0;
  error.setAttribute('aria-live', 'polite');
  field.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      asked += 1;
      const question = asked;
      const problem = await problemWith(field);
      if (problem === null || question !== asked) return;
      error.textContent = problem;
      if (problem) field.setAttribute('aria-invalid', 'true');
      else field.removeAttribute('aria-invalid');
    }, 300);
  });
}

async function problemWith(field) {
  try {
    const answer = await fetch(`${field.dataset.check}?${new URLSearchParams({ text: field.value })}`);
    return (await answer.json()).problem;
  } catch {
    // The form says it when it is sent.
    return null;
  }
}

const scheme = document.querySelector('form select#scheme:has([data-environments])');
if (scheme) {
  const environment = document.getElementById('environment');
  const offer = () => {
    const known = scheme.selectedOptions[0].dataset.environments.split(' ');
    for (const option of environment.options) {
      option.hidden = option.value !== '' && !known.includes(option.value);
      option.disabled = option.hidden;
    }
    if (environment.selectedOptions[0]?.disabled) environment.value = '';
  };
  scheme.addEventListener('change', offer);
  offer();
}

for (const group of document.querySelectorAll('[data-dated]')) {
  const choice = document.getElementById(group.dataset.dated);
  const date = document.getElementById('expires_on');
  const offer = () => {
    const isDated = choice.value === 'date';
    date.closest('.field').hidden = !isDated;
    date.required = isDated;
    if (!isDated) date.value = '';
  };
  choice.addEventListener('change', offer);
  offer();
}
