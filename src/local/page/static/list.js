// The list of recent invocations, the newest first.

import { byId, element, kindOf, outcomes } from './dom.js';

export const time = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});

export class List {
  constructor({ open }) {
    this.open = open;
    this.rows = new Map();
    this.selected = null;
    this.stop = null;
    this.body = byId('invocations');
    this.body.addEventListener('click', ({ target }) => {
      const row = target.closest('tr');
      if (!row) return;
      const n = Number(row.dataset.n);
      this.select(n);
      this.open(n, true);
    });
    this.body.addEventListener('keydown', (event) => this.move(event));
  }

  clear() {
    this.rows.clear();
    this.body.replaceChildren();
    byId('none').hidden = false;
  }

  update({ first, invocations }) {
    for (const summary of invocations) {
      let row = this.rows.get(summary.n);
      if (!row) {
        row = this.add(summary);
        this.rows.set(summary.n, row);
        this.body.prepend(row.element);
        if (summary.n === this.selected) this.select(summary.n);
      }
      row.summary = summary;
      const [label, tone] = outcomes[summary.state];
      row.outcome.textContent = summary.error ? `${label}: ${summary.error}` : label;
      row.outcome.className = `outcome ${tone}`;
      row.outcome.title = summary.error || '';
      row.duration.textContent = summary.durationMs === null ? '' : summary.durationMs.toFixed(1);
    }
    for (const [n, { element: row }] of this.rows) {
      if (n >= first) continue;
      row.remove();
      this.rows.delete(n);
    }
    byId('none').hidden = this.rows.size > 0;
    const stays = this.stop?.isConnected && (this.rows.has(this.selected) || this.body.contains(document.activeElement));
    if (!stays) this.stopAt(this.rows.get(this.selected)?.button ?? this.body.querySelector('button'));
  }

  /// Makes one row reachable with the tab key. The arrow keys move from it to the others.
  stopAt(button) {
    this.stop?.setAttribute('tabindex', '-1');
    this.stop = button;
    button?.setAttribute('tabindex', '0');
  }

  add(summary) {
    const { n, at, function: name, requestId } = summary;
    const [kind, meaning] = kindOf(summary);
    const outcome = element('td');
    const duration = element('td', { className: 'number' });
    const button = element('button', { type: 'button', textContent: time.format(at), title: `Request ${requestId}`, tabIndex: -1 });
    const row = element('tr', {}, element('td', {}, button), element('td', { textContent: kind, title: `From ${meaning}` }),
      element('td', { className: 'name', textContent: name, title: name }), outcome, duration);
    row.dataset.n = n;
    return { element: row, button, outcome, duration };
  }

  /// Marks the invocation that is open.
  select(n) {
    this.rows.get(this.selected)?.button.removeAttribute('aria-current');
    this.selected = n;
    const button = this.rows.get(n)?.button;
    button?.setAttribute('aria-current', 'true');
    if (button) this.stopAt(button);
  }

  move(event) {
    const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
    const next = step && event.target.closest('tr')?.[step];
    if (!next) return;
    event.preventDefault();
    this.stopAt(next.querySelector('button'));
    this.stop.focus();
  }

  /// Returns the last invocations, the newest first.
  recent() {
    return [...this.rows.values()].map(({ summary }) => summary).sort((a, b) => b.n - a.n).slice(0, 20);
  }
}
