// The timeline of an invocation. The server draws it as for `--timeline FILE.html`, with all text escaped. This module makes it
// zoomable, and its marks and bars reachable with the keyboard.

import { element } from './dom.js';

/// Shows a timeline. Keeps the zoom, and whether the tables are open.
export function showTimeline(place, drawn) {
  if (!drawn) {
    place.replaceChildren(element('p', { className: 'quiet', textContent: 'Nothing was recorded yet' }));
    return;
  }
  const zoom = place.querySelector('input')?.value ?? '1';
  const open = place.querySelector('details')?.open ?? false;
  const parts = [...document.importNode(drawn.body, true).children];
  const figure = parts.find((part) => part.matches('figure'));
  const tables = parts.filter((part) => part !== figure);
  const details = element('details', { open }, element('summary', { textContent: 'The timeline as tables' }), ...tables);
  place.replaceChildren(...(figure ? [...makeInteractive(figure, zoom), figure] : []), details);
}

/// Requests a timeline as a document, in which no script runs. `XMLHttpRequest` has the browser parse the response, so that no script
/// here has to convert text to markup, which the policy of the page forbids.
export function readTimeline(n) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.responseType = 'document';
    request.onload = () => resolve(request.status === 200 ? request.response : null);
    request.onerror = () => reject(new Error('The server cannot be reached.'));
    request.open('GET', `api/invocations/${n}/timeline`);
    request.send();
  });
}

/// Makes a drawing usable with the keyboard and the pointer, and adds a zoom. Returns its controls.
function makeInteractive(figure, zoom) {
  const svg = figure.querySelector('svg');
  const readout = element('p', { className: 'readout', role: 'status' });
  const hint = 'Point at a mark or a bar, or choose one with the arrow keys.';
  readout.textContent = hint;
  const points = named(svg);
  const show = (point) => { readout.textContent = point ? point.getAttribute('aria-label') : hint; };
  points.forEach((point, n) => point.setAttribute('tabindex', n === 0 ? '0' : '-1'));
  const move = (from, step) => {
    const next = points[points.indexOf(from) + step];
    if (!next) return;
    from.setAttribute('tabindex', '-1');
    next.setAttribute('tabindex', '0');
    next.focus();
  };
  svg.setAttribute('role', 'group');
  svg.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !points.includes(event.target)) return;
    event.preventDefault();
    move(event.target, step);
  });
  svg.addEventListener('focusin', ({ target }) => show(target));
  svg.addEventListener('focusout', () => show(null));
  svg.addEventListener('pointerover', ({ target }) => show(target.closest('[aria-label][tabindex]')));
  svg.addEventListener('pointerleave', () => show(null));
  const wide = element('div', { className: 'wide' }, svg);
  const scrolled = element('div', { className: 'scrolled-x' }, wide);
  figure.prepend(scrolled);
  const input = element('input', { type: 'range', min: 1, max: 20, step: 1, value: zoom });
  const widen = () => { wide.style.width = `${input.value * 100}%`; };
  input.addEventListener('input', widen);
  widen();
  return [element('label', { className: 'zoom' }, 'Zoom ', input), readout];
}

/// Labels each bar and mark, such as `handler: first signal, 1.234 ms`, and returns them in the order of the lanes.
function named(svg) {
  let lane = '';
  const points = [];
  for (const child of svg.children) {
    const label = child.matches('text') && child.querySelector('.label');
    if (label) lane = label.textContent;
    const point = child.matches('svg') ? child.querySelector('.mark') : child.matches('.bar, .run') ? child : null;
    const title = point?.querySelector('title')?.textContent;
    if (!title) continue;
    point.setAttribute('role', 'img');
    point.setAttribute('aria-label', `${lane}: ${title}`);
    points.push(point);
  }
  return points;
}
