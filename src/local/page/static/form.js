// The form: a function, an event and the context of an invocation.

import { byId, element, json, pretty, request, text } from './dom.js';
import { time } from './list.js';

/// The length up to which an event is checked while it is edited.
const CHECKED = 1024 * 1024;

/// The parameters that are sent unless their fields are empty.
const NUMBERS = ['timeout', 'memory'];
const TEXTS = { qualifier: 'qualifier', cognitoIdentityId: 'identity', cognitoIdentityPoolId: 'identity-pool' };

export class Form {
  constructor({ follow, recent }) {
    this.follow = follow;
    this.recent = recent;
    this.event = byId('event');
    this.source = byId('source');
    this.checks = 0;
    byId('form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.invoke();
    });
    // The browser cannot show what is wrong with a hidden field. `invalid` does not bubble, so it is captured.
    byId('form').addEventListener('invalid', ({ target }) => {
      const details = target.closest('details');
      if (details) details.open = true;
    }, true);
    this.event.addEventListener('input', () => this.edited());
    this.event.addEventListener('scroll', () => { byId('numbers').scrollTop = this.event.scrollTop; });
    this.event.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) byId('form').requestSubmit();
    });
    this.source.addEventListener('change', () => this.choose());
    // Offers the invocations that have arrived in the meantime.
    this.source.addEventListener('focus', () => this.offerRecent());
    byId('go').addEventListener('click', () => this.go());
  }

  /// Fills the form with the choices of the program. Keeps what the user has chosen or written.
  show(program) {
    const functions = byId('function');
    const chosen = functions.value;
    functions.replaceChildren(...program.functions.map((name) => new Option(name, name)));
    if (program.functions.includes(chosen)) functions.value = chosen;
    // These are not values, which would outlive a restart of the program with another configuration.
    this.program = program;
    byId('timeout').placeholder = program.timeout || 'No limit';
    byId('memory').placeholder = program.memory;
    const source = this.source.value;
    const group = (label, options) => element('optgroup', { label }, ...options);
    const samples = program.samples.map(({ name, label }) => new Option(label, `samples/${name}`));
    const files = program.folder?.files.map((name) => new Option(name, `files/${encodeURIComponent(name)}`)) ?? [];
    this.groups = [group('Samples', samples)];
    if (files.length) this.groups.unshift(group('Files', files));
    this.offerRecent();
    if (program.folder?.error) this.showError(`The folder of events: ${program.folder.error}`);
    // Starts with the first event. An event that the user has edited stays.
    if (!this.event.value) this.choose();
    else this.source.value = source;
  }

  offerRecent() {
    if (!this.groups) return;
    const chosen = this.source.value;
    const recent = this.recent().map(({ n, at, function: name }) =>
      new Option(`${time.format(at)} ${name}`, `invocations/${n}/event`));
    const group = element('optgroup', { label: 'Recent events' }, ...recent);
    this.source.replaceChildren(...this.groups, ...(recent.length ? [group] : []));
    this.source.value = chosen;
    if (this.source.selectedIndex < 0 && !this.event.value) this.source.selectedIndex = 0;
  }

  async choose() {
    const { value } = this.source;
    const before = this.event.value;
    try {
      const event = await text(value);
      // The user may have chosen or written another event in the meantime.
      if (value !== this.source.value || before !== this.event.value) return;
      this.set(value.startsWith('invocations/') ? pretty(event) : event);
      this.showError('');
    } catch ({ message }) {
      this.showError(message);
    }
  }

  /// Puts an event, and the context of its invocation, into the form.
  edit(event, details) {
    this.set(pretty(event));
    byId('function').value = details.summary.function;
    for (const name of NUMBERS) byId(name).value = details[name] === this.program?.[name] ? '' : details[name];
    byId('qualifier').value = details.qualifier ?? '';
    byId('identity').value = details.identity?.cognitoIdentityId ?? '';
    byId('identity-pool').value = details.identity?.cognitoIdentityPoolId ?? '';
    byId('client-context').value = details.clientContext ? JSON.stringify(details.clientContext, null, 2) : '';
    byId('tenant').value = details.tenantId ?? '';
    byId('trace').value = details.traceId ?? '';
    this.source.selectedIndex = -1;
    this.event.focus();
  }

  set(event) {
    this.event.value = event;
    this.event.setSelectionRange(0, 0);
    this.event.scrollTop = 0;
    this.edited();
  }

  async edited() {
    const check = ++this.checks;
    const event = this.event.value;
    this.number();
    if (event.length > CHECKED) return this.mark(null, 'A long event is checked when it is invoked.');
    try {
      const mistake = await json('check', { method: 'POST', body: event });
      if (check === this.checks) this.mark(mistake);
    } catch ({ message }) {
      if (check === this.checks) this.mark(null, message);
    }
  }

  /// Numbers the lines, and marks the one with the mistake.
  number() {
    const lines = Math.min(this.event.value.split('\n').length, 100000);
    const numbers = Array.from({ length: lines }, (_, n) => n + 1);
    const at = this.mistake?.line;
    const numbered = (from, to) => numbers.slice(from, to).map((n) => `${n}\n`).join('');
    if (at && at <= lines) {
      byId('numbers').replaceChildren(numbered(0, at - 1), element('mark', { textContent: `${at}\n` }), numbered(at));
    } else byId('numbers').replaceChildren(numbered(0));
    byId('numbers').scrollTop = this.event.scrollTop;
  }

  mark(mistake, note = 'Valid JSON') {
    this.mistake = mistake;
    const line = byId('mistake');
    line.textContent = mistake ? `Line ${mistake.line}, column ${mistake.column}: ${mistake.message}` : note;
    line.className = mistake ? 'bad' : 'quiet';
    byId('go').hidden = !mistake;
    if (mistake) this.event.setAttribute('aria-invalid', 'true');
    else this.event.removeAttribute('aria-invalid');
    this.number();
  }

  go() {
    const { index } = this.mistake ?? { index: 0 };
    this.event.focus();
    this.event.setSelectionRange(index, index + 1);
  }

  showError(message) {
    byId('form-error').textContent = message;
  }

  async invoke() {
    const submit = byId('submit');
    submit.setAttribute('aria-busy', 'true');
    this.showError('');
    try {
      const headers = {};
      const clientContext = byId('client-context').value.trim();
      if (clientContext) headers['x-amz-client-context'] = base64(clientContext);
      if (byId('tenant').value) headers['x-amz-tenant-id'] = byId('tenant').value;
      if (byId('trace').value) headers['x-amzn-trace-id'] = byId('trace').value;
      const query = new URLSearchParams({ function: byId('function').value });
      for (const name of NUMBERS) {
        // A number such as `1e3` is sent as 1000.
        const { value, valueAsNumber } = byId(name);
        if (value) query.set(name, valueAsNumber);
      }
      for (const [name, id] of Object.entries(TEXTS)) {
        if (byId(id).value) query.set(name, byId(id).value);
      }
      const started = await request(`invoke?${query}`, { method: 'POST', headers, body: this.event.value });
      await this.follow((await started.json()).n);
    } catch ({ message }) {
      this.showError(message);
    } finally {
      submit.removeAttribute('aria-busy');
    }
  }
}

/// Returns the base64 of a text in UTF-8.
export function base64(source) {
  return btoa(Array.from(new TextEncoder().encode(source), (byte) => String.fromCharCode(byte)).join(''));
}
