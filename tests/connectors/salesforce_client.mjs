// jsforce, a client of Salesforce that others wrote, against a simulator: checks that it finds what it expects of an org.
//
//   node salesforce_client.mjs FOLDER JSON
//
// FOLDER has jsforce in its node_modules; JSON is what `lockstep simulate salesforce --idle --json` prints. Each check prints
// `ok NAME` or `FAIL NAME: why`. Exit 0: all hold; 1: some do not; 2: a host that is not loopback was named.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

const [folder, json] = process.argv.slice(2);
const jsforce = createRequire(path.join(path.resolve(folder), 'package.json'))('jsforce');
const told = JSON.parse(json);
for (const url of [told.login_url, told.control]) {
  if (!['127.0.0.1', '[::1]', 'localhost'].includes(new URL(url).hostname)) {
    console.error(`${url} is not loopback`);
    process.exit(2);
  }
}

const checks = [];
const check = (name, act) => checks.push([name, act]);
const oauth2 = { loginUrl: told.login_url, clientId: told.client_id, clientSecret: told.client_secret };
const password = told.password + told.security_token;
const version = '62.0';
const SETTINGS = { pageSize: 2000, dailyRequests: null, sessionSeconds: 7200, givesConsent: true, allowsPassword: true, gapMs: 0 };

async function control(method, where, body) {
  const answer = await fetch(told.control + where, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${where}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}
const settings = (changes) => control('POST', '/settings', changes);

async function loggedIn() {
  const connection = new jsforce.Connection({ oauth2, loginUrl: told.login_url, version });
  const user = await connection.login(told.username, password);
  return { connection, user };
}

// What it is refused with.
async function refused(act, code) {
  try {
    await act();
  } catch (error) {
    assert.equal(error.errorCode ?? error.name, code, String(error));
    return error;
  }
  return assert.fail(`nothing was refused; expected ${code}`);
}

async function person(place = 0) {
  return (await control('GET', '/users'))[place];
}

check('log_in_by_password', async () => {
  const { connection, user } = await loggedIn();
  assert.equal(connection.instanceUrl, told.login_url);
  assert.match(user.organizationId, /^00D\w{15}$/);
  assert.match(user.id, /^005\w{15}$/);
  const { records } = await connection.query(`SELECT Username FROM User WHERE Id = '${user.id}'`);
  assert.equal(records[0].Username, told.username);
});

check('a_wrong_password_is_invalid_grant', async () => {
  const connection = new jsforce.Connection({ oauth2, loginUrl: told.login_url, version });
  const error = await refused(() => connection.login(told.username, told.password), 'invalid_grant');
  assert.equal(error.message, 'authentication failure');
});

check('a_blocked_password_flow_is_invalid_grant', async () => {
  await settings({ allowsPassword: false });
  await refused(loggedIn, 'invalid_grant');
});

check('a_wrong_client_is_refused', async () => {
  for (const [other, code] of [[{ clientId: 'x' }, 'invalid_client_id'], [{ clientSecret: 'x' }, 'invalid_client']]) {
    const connection = new jsforce.Connection({ oauth2: { ...oauth2, ...other }, loginUrl: told.login_url, version });
    await refused(() => connection.login(told.username, password), code);
  }
});

check('client_credentials', async () => {
  const connection = new jsforce.Connection({ oauth2, loginUrl: told.login_url, version });
  await connection.authorize({ grant_type: 'client_credentials' });
  assert.ok((await connection.query('SELECT Id FROM User LIMIT 1')).done);
});

check('pages_one_by_one', async () => {
  await settings({ pageSize: 7 });
  const { connection } = await loggedIn();
  const ids = new Set();
  let pages = 1;
  let page = await connection.query('SELECT Id, Name FROM User');
  const total = page.totalSize;
  for (;;) {
    for (const record of page.records) ids.add(record.Id);
    assert.ok(page.done || page.records.length === 7);
    if (page.done) break;
    page = await connection.queryMore(page.nextRecordsUrl);
    pages += 1;
  }
  assert.equal(total, told.users + 1);
  assert.equal(ids.size, total);
  assert.equal(pages, Math.ceil(total / 7));
});

check('pages_by_themselves', async () => {
  await settings({ pageSize: 7 });
  const { connection } = await loggedIn();
  const all = await connection.query('SELECT Id FROM User', { autoFetch: true, maxFetch: 10000 });
  assert.equal(all.records.length, told.users + 1);
});

check('a_query_that_jsforce_writes', async () => {
  const { connection } = await loggedIn();
  const { email } = await person();
  const found = await connection.sobject('User').find({ Email: email, IsActive: true }, ['Id', 'Email']);
  assert.deepEqual(found.map((user) => user.Email), [email]);
  assert.equal(await connection.sobject('User').count({ IsActive: true }), told.users + 1);
});

check('presence_with_labels', async () => {
  const { connection } = await loggedIn();
  const { id } = await person();
  await control('POST', `/users/${id}/status`, { status: 'Available_for_Chats' });
  await control('POST', `/users/${id}/status`, { status: 'On_Call' });
  const { records } = await connection.query(
    'SELECT Id,UserId,ServicePresenceStatusId,ServicePresenceStatus.DeveloperName,ServicePresenceStatus.MasterLabel,IsAway,'
      + 'IsCurrentState,StatusStartDate,StatusEndDate,SystemModstamp FROM UserServicePresence '
      + `WHERE IsCurrentState=true AND UserId='${id}'`,
  );
  assert.equal(records.length, 1);
  const [row] = records;
  assert.equal(row.ServicePresenceStatus.MasterLabel, 'Im Gespräch');
  assert.equal(row.attributes.type, 'UserServicePresence');
  assert.deepEqual([row.IsAway, row.StatusEndDate], [true, null]);
  assert.ok(Math.abs(Date.now() - Date.parse(row.StatusStartDate)) < 60_000, row.StatusStartDate);
  const whole = await connection.sobject('UserServicePresence').retrieve(row.Id);
  assert.equal(whole.ServicePresenceStatusId, row.ServicePresenceStatusId);
  await control('POST', `/users/${id}/status`, { status: null });
  assert.equal((await connection.sobject('UserServicePresence').retrieve(row.Id)).IsCurrentState, false);
});

check('updated_rows', async () => {
  const { connection } = await loggedIn();
  const { id } = await person(1);
  await control('POST', `/users/${id}/status`, { status: 'Lunch' });
  const { row } = await control('GET', `/users/${id}`);
  const around = (ms) => new Date(Date.now() + ms);
  const { ids } = await connection.sobject('UserServicePresence').updated(around(-60_000), around(60_000));
  assert.ok(ids.includes(row), `${row} in ${ids}`);
});

check('no_call_writes_presence', async () => {
  const { connection } = await loggedIn();
  const presence = connection.sobject('UserServicePresence');
  await refused(() => presence.create({ UserId: '005000000000000' }), 'INVALID_TYPE_FOR_OPERATION');
  await refused(() => presence.update({ Id: '0Ps000000000000', IsAway: true }), 'INVALID_TYPE_FOR_OPERATION');
});

check('limits', async () => {
  const { connection } = await loggedIn();
  const { DailyApiRequests: daily } = await connection.limits();
  const { used, limit } = connection.limitInfo.apiUsage;
  assert.deepEqual(daily, { Max: limit, Remaining: limit - used });
  await connection.query('SELECT Id FROM User LIMIT 1');
  assert.equal(connection.limitInfo.apiUsage.used, used + 1);
});

check('a_day_that_is_used_up', async () => {
  const { connection } = await loggedIn();
  await settings({ dailyRequests: 0 });
  await refused(() => connection.query('SELECT Id FROM User'), 'REQUEST_LIMIT_EXCEEDED');
});

check('errors_of_queries', async () => {
  const { connection } = await loggedIn();
  for (const [query, code] of [
    ['SELECT Id FROM', 'MALFORMED_QUERY'],
    ["SELECT Id FROM User WHERE Name = 'x", 'MALFORMED_QUERY'],
    ['SELECT Nothing FROM User', 'INVALID_FIELD'],
    ['SELECT Id FROM Nothing', 'INVALID_TYPE'],
  ]) {
    await refused(() => connection.query(query), code);
  }
  await refused(() => connection.sobject('User').retrieve('005000000000009'), 'NOT_FOUND');
  await refused(() => connection.queryMore('01g000000000000AAA-2000'), 'INVALID_QUERY_LOCATOR');
});

check('an_expired_session_is_renewed_by_itself', async () => {
  const { connection } = await loggedIn();
  const before = connection.accessToken;
  await control('POST', '/sessions/expire');
  const { records } = await connection.query('SELECT Id FROM User LIMIT 1');
  assert.equal(records.length, 1);
  assert.notEqual(connection.accessToken, before);
});

check('a_session_that_cannot_be_renewed_is_told', async () => {
  const { connection } = await loggedIn();
  const bare = new jsforce.Connection({ instanceUrl: told.login_url, accessToken: connection.accessToken, version });
  assert.ok((await bare.query('SELECT Id FROM User LIMIT 1')).done);
  await control('POST', '/sessions/expire');
  await refused(() => bare.query('SELECT Id FROM User LIMIT 1'), 'INVALID_SESSION_ID');
});

check('the_web_server_flow_renews_itself', async () => {
  const flow = new jsforce.OAuth2({ ...oauth2, redirectUri: 'http://127.0.0.1:1717/callback', useVerifier: true });
  const asked = await fetch(flow.getAuthorizationUrl({ state: 'a state/+' }), { redirect: 'manual' });
  assert.equal(asked.status, 302);
  const led = new URL(asked.headers.get('location'));
  assert.equal(led.searchParams.get('state'), 'a state/+');
  const connection = new jsforce.Connection({ oauth2: flow, version });
  await connection.authorize(led.searchParams.get('code'));
  assert.ok(connection.refreshToken);
  await control('POST', '/sessions/expire');
  assert.ok((await connection.query('SELECT Id FROM User LIMIT 1')).done);
  await flow.revokeToken(connection.refreshToken);
  await refused(() => flow.refreshToken(connection.refreshToken), 'invalid_grant');
});

check('consent_that_is_not_given', async () => {
  await settings({ givesConsent: false });
  const flow = new jsforce.OAuth2({ ...oauth2, redirectUri: 'http://127.0.0.1:1717/callback', useVerifier: true });
  const asked = await fetch(flow.getAuthorizationUrl({}), { redirect: 'manual' });
  assert.equal(new URL(asked.headers.get('location')).searchParams.get('error'), 'access_denied');
});

check('a_busy_org_is_called_again', async () => {
  const { connection } = await loggedIn();
  await control('POST', '/faults', [{ path: '/query', kind: 'status', status: 503, count: 1 }]);
  assert.ok((await connection.query('SELECT Id FROM User LIMIT 1')).done);
});

check('versions', async () => {
  const { connection } = await loggedIn();
  const versions = await connection.request('/services/data/');
  assert.ok(versions.some((entry) => entry.version === version));
});

let failed = 0;
for (const [name, act] of checks) {
  try {
    await control('POST', '/faults', []);
    await settings(SETTINGS);
    await act();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${error?.stack ?? error}`);
  }
}
process.exit(failed ? 1 : 0);
