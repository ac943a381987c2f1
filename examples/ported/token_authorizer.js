// A token authorizer for an API Gateway REST API. API Gateway responds with status 401 to the error
// `Unauthorized`, and with status 500 to any other error.
const tokens = {
    'ada-token': { user: 'ada', scopes: ['orders:read', 'orders:write'] },
    'bob-token': { user: 'bob', scopes: ['orders:read'] },
    'old-token': { user: 'eve', scopes: [], expired: true },
};

const introspect = (token, done) => setTimeout(() => {
    if (token === 'slow-token') return done(new Error('the identity provider does not respond'));
    done(null, tokens[token]);
}, 2);

const policy = (principalId, effect, resource, context) => ({
    principalId,
    policyDocument: {
        Version: '2012-10-17',
        Statement: [{ Action: 'execute-api:Invoke', Effect: effect, Resource: resource }],
    },
    context,
});

exports.handler = (event, context, callback) => {
    context.callbackWaitsForEmptyEventLoop = false;
    const match = /^Bearer (\S+)$/.exec(event.authorizationToken || '');
    if (!match) return callback('Unauthorized');

    introspect(match[1], (err, claims) => {
        if (err) return callback(err);
        if (!claims || claims.expired) return callback('Unauthorized');
        const [api, stage, method] = event.methodArn.split('/');
        const needed = method === 'GET' ? 'orders:read' : 'orders:write';
        const effect = claims.scopes.includes(needed) ? 'Allow' : 'Deny';
        callback(null, policy(claims.user, effect, `${api}/${stage}/*`, { scopes: claims.scopes.join(' '), needed }));
    });
};
