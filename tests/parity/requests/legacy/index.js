// An original for tests/parity/requests.rs. It sends what its event has to AWS, in the form of the SDKs, without one of
// them: `steps` are sent one after the other, and the requests of a step at once.
const http = require('node:http');

const send = ({ operation, body }) => new Promise((resolve, reject) => {
    const headers = {
        authorization: `AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/dynamodb/aws4_request, Signature=${Math.random()}`,
        'content-type': 'application/x-amz-json-1.0',
        'user-agent': 'the original',
        'x-amz-date': new Date().toISOString(),
        'x-amz-target': `DynamoDB_20120810.${operation}`,
    };
    const request = http.request(process.env.AWS_ENDPOINT_URL, { method: 'POST', headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
        response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }));
    });
    request.on('error', reject).end(JSON.stringify(body));
});

const loaded = send({ operation: 'GetItem', body: { Key: 'sent while the file is loaded' } });

exports.handler = async (event) => {
    await loaded;
    const responses = [];
    for (const step of event.steps) responses.push(await Promise.all(step.map(send)));
    return responses;
};
