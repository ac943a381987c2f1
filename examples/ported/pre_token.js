// A Cognito trigger that runs before a token is generated. It adds claims, suppresses others, and
// rejects disabled users. Cognito shows the message of an error to the user.
const users = {
    ada: { tenant: 't-1', roles: ['admin', 'clerk'] },
    bob: { tenant: 't-2', roles: [] },
    eve: { tenant: 't-2', roles: ['clerk'], disabled: 'since May' },
};
let lookups = 0;

const findUser = (name, done) => process.nextTick(() => {
    lookups++;
    if (!users[name]) return done(Object.assign(new Error(`User does not exist: ${name}`), { name: 'UserNotFoundException' }));
    done(null, users[name]);
});
const findTenant = (id, done) => setTimeout(done, 1, null, { id, plan: id === 't-1' ? 'gold' : null });

exports.handler = (event, context, callback) => {
    if (!event.triggerSource.startsWith('TokenGeneration_')) {
        return context.fail(`unexpected trigger ${event.triggerSource}`);
    }
    findUser(event.userName, (err, user) => {
        if (err) return callback(err);
        if (user.disabled) return callback(new Error(`${event.userName} is disabled ${user.disabled}`));
        findTenant(user.tenant, (err, tenant) => {
            if (err) return callback(err);
            event.response = {
                claimsOverrideDetails: {
                    claimsToAddOrOverride: {
                        tenant: tenant.id,
                        plan: tenant.plan || 'free',
                        roles: user.roles.join(','),
                        lookups: String(lookups),
                    },
                    claimsToSuppress: event.triggerSource.endsWith('RefreshTokens') ? ['email', 'phone_number'] : [],
                    groupOverrideDetails: user.roles.length > 0
                        ? { groupsToOverride: user.roles.map((role) => `${tenant.id}/${role}`), preferredRole: null }
                        : undefined,
                },
            };
            callback(null, event);
        });
    });
};
