// Commands and a test that repeat an invocation. Whatever text an event contains, it stays within its quotes.

import { base64 } from './form.js';

/// The defaults of `Context::builder()`.
const DEFAULTS = {
  invoked_function_arn: 'arn:aws:lambda:us-east-1:123456789012:function:function',
  function_version: '$LATEST',
  memory_limit_in_mb: '128',
};

/// Quotes a word for a POSIX shell.
const word = (value) => `'${String(value).replaceAll("'", "'\\''")}'`;

/// Removes carriage returns from JSON, which are only white space there, and escapes the characters that change the direction of
/// text, which Rust rejects in a literal.
const plain = (json) => json.replaceAll('\r', '')
  .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`);

/// Returns a string literal of Rust.
function literal(value) {
  const escaped = value.replace(/["\\]/g, '\\$&')
    .replace(/[^ -~]/gu, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
  return `"${escaped}"`;
}

/// Returns a raw string literal of Rust.
function raw(value) {
  let fence = '#';
  while (value.includes(`"${fence}`)) fence += '#';
  return `r${fence}"${value}"${fence}`;
}

function curl(details, event, program, n) {
  const { summary } = details;
  const path = `2015-03-31/functions/${encodeURIComponent(summary.function)}/invocations`;
  const lines = [`curl --data-binary ${event === null ? `@event-${n}.json` : word(plain(event))}`];
  const header = (name, value) => { if (value) lines.push(`--header ${word(`${name}: ${value}`)}`); };
  header('x-amz-client-context', clientContext(details));
  header('x-amz-tenant-id', details.tenantId);
  header('x-amzn-trace-id', details.traceId);
  const query = details.qualifier ? `?Qualifier=${encodeURIComponent(details.qualifier)}` : '';
  lines.push(word(`${location.origin}/${path}${query}`));
  return lines.join(' \\\n    ');
}

function aws(details, event, program, n) {
  // Versions 1 and 2 of the AWS CLI read `fileb://` alike, but not a payload on the command line.
  const [before, file] = event === null
    ? ['', `event-${n}.json`]
    : [`printf %s ${word(plain(event))} | `, '/dev/stdin'];
  const lines = [
    `${before}aws lambda invoke --endpoint-url ${word(location.origin)} --no-sign-request`,
    // A value that begins with `-` needs the equals sign.
    `--region ${word(program.region)} --function-name=${word(details.summary.function)} --payload fileb://${file}`,
  ];
  if (details.qualifier) lines.push(`--qualifier=${word(details.qualifier)}`);
  const context = clientContext(details);
  if (context) lines.push(`--client-context ${word(context)}`);
  if (details.tenantId) lines.push(`--tenant-id=${word(details.tenantId)}`);
  lines.push('/dev/stdout');
  return lines.join(' \\\n    ');
}

function rust(details, event, program, n) {
  const { summary } = details;
  const source = event === null ? `include_str!("event-${n}.json")` : raw(plain(event));
  const lines = [
    '#[tokio::test]',
    'async fn responds_as_before() {',
    `    let event: nodeback::Value = ${source}.parse().unwrap();`,
  ];
  if (details.identity) {
    const { cognitoIdentityId: id, cognitoIdentityPoolId: pool } = details.identity;
    lines.push('    let mut identity = nodeback::CognitoIdentity::default();',
      `    identity.cognito_identity_id = ${literal(id)}.into();`,
      `    identity.cognito_identity_pool_id = ${literal(pool)}.into();`);
  }
  lines.push('    let context = nodeback::Context::builder()',
    `        .function_name(${literal(summary.function)})`);
  // Only what differs from the defaults of the builder.
  for (const [member, value] of [
    ['invoked_function_arn', details.arn], ['function_version', details.functionVersion], ['memory_limit_in_mb', details.memory],
  ]) {
    if (value !== DEFAULTS[member]) lines.push(`        .${member}(${literal(value)})`);
  }
  if (details.identity) lines.push('        .identity(identity)');
  if (details.clientContext) {
    const context = raw(plain(JSON.stringify(details.clientContext)));
    lines.push(`        .client_context(${context}.parse::<nodeback::Value>().unwrap())`);
  }
  if (details.tenantId) lines.push(`        .tenant_id(${literal(details.tenantId)})`);
  if (details.traceId) lines.push(`        .xray_trace_id(${literal(details.traceId)})`);
  lines.push(`        .timeout(std::time::Duration::from_millis(${Math.round(details.timeout * 1000)}))`, '        .build();',
    '    let outcome = nodeback::invoke(handler, event, context).await;');
  const { response, error } = details;
  if (error) {
    const { errorType, errorMessage } = JSON.parse(error.text);
    lines.push('    let error = outcome.result.unwrap_err();',
      `    assert_eq!(error.error_type(), ${literal(String(errorType))});`);
    // The message of a timeout contains the request id.
    if (summary.state !== 'timedOut') lines.push(`    assert_eq!(error.message(), ${literal(String(errorMessage))});`);
  } else if (response?.isWhole && isJson(response.text)) {
    lines.push(`    let expected: nodeback::Value = ${raw(plain(response.text))}.parse().unwrap();`,
      '    assert_eq!(outcome.result.unwrap(), expected);');
  } else {
    lines.push('    assert!(outcome.result.is_ok());');
  }
  return [...lines, '}', ''].join('\n');
}

function isJson(source) {
  try {
    JSON.parse(source);
    return true;
  } catch {
    return false;
  }
}

const clientContext = ({ clientContext: context }) => context && base64(JSON.stringify(context));

export const snippets = { curl, aws, rust };
