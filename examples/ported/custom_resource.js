// A CloudFormation custom resource, which reserves, changes and releases a name. It PUTs the outcome
// to the URL in the event.
const reserved = new Map();

const put = (url, body, done) => setTimeout(() => {
    if (url.startsWith('https://broken.')) return done(new Error('PUT failed with 403'));
    done(null, 200);
}, 1);

const send = (event, context, status, { reason, id, data }, done) => {
    const body = {
        Status: status,
        Reason: reason || `See the details in CloudWatch Log Stream: ${context.logStreamName}`,
        PhysicalResourceId: id || context.logStreamName,
        StackId: event.StackId,
        RequestId: event.RequestId,
        LogicalResourceId: event.LogicalResourceId,
        NoEcho: false,
        Data: data,
    };
    put(event.ResponseURL, JSON.stringify(body), (err) => {
        if (err) return done(`send(..) failed: ${err}`);
        done(null, body);
    });
};

const reserve = (name, owner, done) => setImmediate(() => {
    if (!/^[a-z][a-z0-9-]{2,}$/.test(name)) return done(new RangeError(`not a name: ${name}`));
    if (reserved.has(name) && reserved.get(name) !== owner) return done(new Error(`${name} is taken by ${reserved.get(name)}`));
    reserved.set(name, owner);
    done(null, { Arn: `arn:names:::${name}`, Count: reserved.size });
});

const types = {
    Create: (event, done) => reserve(event.ResourceProperties.Name, event.StackId, done),
    Update: (event, done) => {
        const { Name: before } = event.OldResourceProperties;
        const { Name: name } = event.ResourceProperties;
        if (before === name) return done(null, { Unchanged: 'true' });
        reserve(name, event.StackId, (err, data) => {
            if (!err) reserved.delete(before);
            done(err, data);
        });
    },
    Delete: (event, done) => { reserved.delete(event.PhysicalResourceId); done(null); },
};

exports.handler = (event, context) => {
    const type = types[event.RequestType];
    if (!type) return send(event, context, 'FAILED', { reason: `no such type: ${event.RequestType}` }, context.done);
    type(event, (err, data) => {
        const id = err ? event.PhysicalResourceId : (event.ResourceProperties || {}).Name;
        if (err) return send(event, context, 'FAILED', { reason: String(err), id }, context.done);
        send(event, context, 'SUCCESS', { id, data }, context.done);
    });
};
