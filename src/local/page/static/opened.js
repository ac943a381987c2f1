// The invocation that is open.

import { byId, bytes, element, json, kindOf, outcomes, pretty, text } from './dom.js';
import { snippets } from './snippets.js';
import { readTimeline, showTimeline } from './timeline.js';

/// The sizes in bytes up to which an event is put into the editor, and into a snippet.
const EDITED = 1024 * 1024;
const COPIED = 64 * 1024;

export class Opened {
  constructor({ edit, follow }) {
    this.edit = edit;
    this.follow = follow;
    this.n = null;
    this.details = null;
    byId('repeat').addEventListener('click', () => this.try(() => this.repeat()));
    byId('edit').addEventListener('click', () => this.try(() => this.editEvent()));
    for (const kind of ['curl', 'aws', 'rust']) {
      byId(`copy-${kind}`).addEventListener('click', () => this.try(() => this.copy(kind)));
    }
  }

  async open(n, byUser) {
    this.n = n;
    byId('copied').hidden = true;
    await this.try(() => this.read());
    if (byUser && this.n === n && matchMedia('(max-width: 60rem)').matches) byId('opened-title').focus();
  }

  /// Reads the open invocation again when it has changed.
  changed({ n }) {
    if (n === this.n) this.try(() => this.read());
  }

  /// Closes the invocation if the server was restarted and does not have it.
  restarted(invocations) {
    if (this.details === null) return;
    const { requestId } = this.details.summary;
    if (invocations.some((summary) => summary.n === this.n && summary.requestId === requestId)) return;
    this.n = null;
    this.details = null;
    // What is being read is of the server before.
    this.reading = null;
    byId('details').hidden = true;
    byId('nothing-opened').hidden = false;
  }

  /// Runs an action of the user, and shows why it failed.
  async try(action) {
    let message = '';
    try {
      await action();
    } catch (error) {
      message = error.status === 404 ? 'This invocation is no longer kept.' : error.message;
    }
    const problem = byId('problem');
    problem.hidden = !message;
    problem.textContent = message;
  }

  /// Announces something to a screen reader.
  announce(message) {
    byId('announcement').textContent = message;
  }

  async read() {
    const { n } = this;
    // A response may arrive after that of a later request, and is ignored then.
    this.reading = Symbol(n);
    const { reading } = this;
    const [details, timeline] = await Promise.all([json(`invocations/${n}`), readTimeline(n)]);
    if (reading !== this.reading) return;
    this.details = details;
    this.show(details);
    showTimeline(byId('timeline'), timeline);
  }

  show(details) {
    const { summary } = details;
    byId('details').hidden = false;
    byId('nothing-opened').hidden = true;
    const [label, tone] = outcomes[summary.state];
    const took = summary.durationMs === null ? '' : ` in ${summary.durationMs.toFixed(1)} ms`;
    const after = summary.state !== 'running' && !summary.over ? '; work continues after the response' : '';
    const outcome = byId('outcome');
    outcome.textContent = `${label}${took}${after}`;
    outcome.className = `result ${tone}`;
    this.announce(`${summary.function}: ${outcome.textContent}`);
    byId('report').textContent = report(details).join(' · ');
    byId('facts').textContent = facts(details).join(' · ');
    const save = byId('save');
    save.href = `api/invocations/${this.n}/event`;
    byId('body-title').textContent = details.error ? 'Error' : 'Response';
    this.fill('body', 'response', details.error ?? details.response, details.error ? failure(details.error) : []);
    this.fill('sent', 'event', details.event, []);
    showSent(details);
    const log = byId('log');
    log.textContent = details.log.replaceAll('\r', '\n') || 'No lines';
    log.classList.toggle('quiet', !details.log);
  }

  /// Shows the start of a response or an event, with a link to all of it. It scrolls in a panel of a fixed
  /// height, so that nothing below it moves when a response arrives.
  fill(id, name, content, before) {
    const note = byId(`${id}-note`);
    if (!content) {
      byId(id).replaceChildren(element('p', { className: 'quiet', textContent: 'No response yet' }));
      note.replaceChildren('\u00a0');
      return;
    }
    const { text: shown, size, isWhole, isKept } = content;
    const code = element('pre', { className: 'code', textContent: isWhole ? pretty(shown) : shown });
    byId(id).replaceChildren(...before, code);
    const path = `api/invocations/${this.n}/${name}`;
    const link = element('a', { href: path, download: '', textContent: isKept ? 'Save all of it' : 'Save its start' });
    note.replaceChildren(bytes(size), isWhole ? '. ' : ', of which this is the start. ', link);
  }

  async repeat() {
    const { n } = await json(`invocations/${this.n}/repeat`, { method: 'POST' });
    await this.follow(n);
  }

  async editEvent() {
    const { details, n } = this;
    if (details.event.size > EDITED) throw new Error('The event is too large to edit here: save it instead.');
    const event = await text(`invocations/${n}/event`);
    this.edit(event, details);
  }

  async copy(kind) {
    const { details, n } = this;
    const isSmall = details.event.size <= COPIED;
    const event = isSmall ? await text(`invocations/${n}/event`) : null;
    const snippet = snippets[kind](details, event, this.program, n);
    byId('copied').hidden = false;
    const field = byId('snippet');
    field.value = snippet;
    field.focus();
    field.select();
    let copied = false;
    try {
      await navigator.clipboard.writeText(snippet);
      copied = true;
    } catch {
      // The browser lets only pages of this machine, or over HTTPS, write to the clipboard.
    }
    const saved = isSmall ? '' : `. It reads the event from event-${n}.json: save the event first`;
    byId('snippet-label').textContent = (copied ? 'Copied' : 'Selected for copying') + saved;
    this.announce(byId('snippet-label').textContent);
  }
}

/// The parts of Lambda's `REPORT` line.
function report({ duration, billedMs, memory, memoryUsed }) {
  const parts = [`Memory size ${memory} MB`];
  if (duration !== null) parts.unshift(`Duration ${duration} ms`, `Billed ${billedMs} ms`);
  if (memoryUsed !== null) parts.push(`Max memory used ${memoryUsed} MB`);
  return parts;
}

/// What the invocation was called with.
function facts({ summary, functionVersion, qualifier, timeout, identity, tenantId, traceId }) {
  const parts = [
    summary.function, `version ${functionVersion}`, `request ${summary.requestId}`,
    new Date(summary.at).toLocaleString(), `from ${kindOf(summary)[1]}`, timeout ? `timeout ${timeout} s` : 'no timeout',
  ];
  if (qualifier && qualifier !== functionVersion) parts.splice(2, 0, `alias ${qualifier}`);
  if (identity) {
    const { cognitoIdentityId: id, cognitoIdentityPoolId: pool } = identity;
    parts.push(`Cognito identity ${[id, pool && `of pool ${pool}`].filter(Boolean).join(' ')}`);
  }
  if (tenantId) parts.push(`tenant ${tenantId}`);
  if (traceId) parts.push(`trace ${traceId}`);
  return parts;
}

/// Shows the status and the headers that the server sent.
function showSent({ summary, sent }) {
  const status = byId('sent-status');
  const headers = byId('sent-headers');
  const note = byId('sent-headers-note');
  if (!sent) {
    const isRetry = summary.client === 'retry';
    status.textContent = isRetry ? 'none' : 'none yet';
    headers.textContent = '';
    note.textContent = isRetry ? 'No client waits for a retry.' : '\u00a0';
    return;
  }
  status.textContent = [sent.status, sent.reason].filter(Boolean).join(' ');
  const lines = sent.headers.map(([name, value]) => `${name}: ${value}`);
  if (sent.leftOut) lines.push(`${sent.leftOut} more`);
  headers.textContent = lines.join('\n');
  note.textContent = summary.client === 'page' ? 'This is the response that Invoke would send.'
    : 'The connection adds Date and, where they apply, Transfer-Encoding and Connection.';
}

/// The type, the message and the call sites of an error, above its JSON.
function failure({ text: source }) {
  let error;
  try {
    error = JSON.parse(source);
  } catch {
    return [];
  }
  const message = element('p', { className: 'error' }, element('b', { textContent: String(error.errorType ?? 'Error') }),
    ' ', String(error.errorMessage ?? ''));
  const trace = Array.isArray(error.trace) ? error.trace.slice(1) : [];
  if (!trace.length) return [message];
  const lines = trace.slice(0, 100).map((line) => element('li', { textContent: String(line).trim() }));
  return [message, element('ol', { className: 'trace', 'aria-label': 'Trace' }, ...lines)];
}
