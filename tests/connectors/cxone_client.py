#!/usr/bin/env python3
"""A client of the NICE CXone API, written from the contract alone: checks that a simulator speaks it.

A check is a function with @check: it gets the World (and, where it asks for them, a fresh Available agent and codes of
his team) and raises Mismatch when something does not hold. Faults and settings are put back before each check.
Exit 0: all hold; 1: some do not; 2: a host that is not loopback was named, in the arguments or by an answer.
"""
import argparse
import base64
import email.utils
import http.client
import ipaddress
import itertools
import json
import random
import re
import sys
import time
from functools import cached_property, partial
from urllib.parse import quote, urlencode, urljoin, urlsplit

EPOCH = "1970-01-01T00:00:00.000Z"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
STATES = "LoggedOut Available Unavailable InboundContact OutboundContact InboundConsult OutboundConsult Dialer LoggedIn".split()
SETTINGS = {"noChange": "200", "names": "camel", "pageSizeMax": 1000, "loggedOut": True, "rate": None, "dateOffsetMs": 0}
OK = range(200, 300)
CHECKS = []

class Mismatch(Exception): """What was expected and what came."""
class Foreign(Exception): """A host that is not loopback."""
class NoAnswer(Exception): """The connection ended before an answer."""
class Cut(Exception): """The answer began, and its body is not whole."""

def check(function=None, **pick):
    if function is None:
        return partial(check, **pick)
    CHECKS.append((function, pick))
    return function

def expect(holds, expected, came=None):
    if not holds:
        raise Mismatch(f"expected {str(expected)[:300]}; came {str(came)[:400]}")

def same(came, wanted, what=""):
    expect(came == wanted, f"{what} {wanted}".strip(), came)

def get(thing, name):
    """A value by its name, whose case does not matter."""
    return next((value for key, value in (thing or {}).items() if key.lower() == name.lower()), None)

def ids(records, name="agentId"):
    return [get(record, name) for record in records]

def expect_names(thing, names, where):
    missing = set(names.lower().split()) - {key.lower() for key in thing}
    expect(not missing, f"{where} to have {sorted(missing)}", sorted(thing))

def is_a(pattern, value):
    return isinstance(value, str) and bool(pattern.fullmatch(value))

def items(body, name):
    found = get(body, name)
    expect(isinstance(found, list) and all(isinstance(item, dict) for item in found), f"a list of objects {name}", body)
    return found

def eventually(function, seconds=2.0):
    """A set need not show at once."""
    until = time.monotonic() + seconds
    while not function() and time.monotonic() < until:
        time.sleep(0.02)
    return function()

def place(url):
    """(host, port, target) of an http address on loopback, else Foreign."""
    parts = urlsplit(url or "")
    try:
        loopback = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
        port = parts.port or 80
    except ValueError:
        loopback = False
    if not loopback or parts.scheme != "http":
        raise Foreign(f"refused {str(url)[:200]}: not http on loopback")
    return parts.hostname, port, (parts.path or "/") + ("?" + parts.query if parts.query else "")

def decode_jwt(token):
    parts = str(token).split(".")
    expect(len(parts) == 3, "a JWT of three parts", token)
    return json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))

class Answer:
    def __init__(self, asked, status, headers, body, seconds):
        self.asked, self.status, self.headers, self.body, self.seconds = asked, status, headers, body, seconds
    def __str__(self):
        return f"{self.status} {self.body[:160]!r} to {self.asked}"
    def want(self, *statuses):
        expect(self.status in statuses, "2xx" if statuses == (*OK,) else " or ".join(map(str, statuses)), self)
        return self
    def ok(self):
        return self.want(*OK)
    @property
    def is_json(self):
        try:
            return json.loads(self.body) is not None
        except ValueError:
            return False
    @property
    def data(self):
        expect(self.is_json, "a JSON body", self)
        return json.loads(self.body)

class Wire:
    """HTTP with one kept connection a server; a fresh call opens its own and is never repeated."""
    def __init__(self, timeout=10):
        self.timeout, self.kept = timeout, {}
    def call(self, method, url, body=None, headers=None, fresh=False):
        host, port, target = place(url)
        kept = None if fresh else self.kept.pop((host, port), None)
        if kept and kept.sock:
            try:
                return self.once(kept, method, target, body, headers)
            except NoAnswer:
                pass  # perhaps it was closed while idle: a new connection tells
        return self.once(http.client.HTTPConnection(host, port, timeout=self.timeout), method, target, body, headers, not fresh)
    def once(self, conn, method, target, body, headers, keep=True):
        began, asked, whole = time.monotonic(), f"{method} {target[:120]}", False
        try:
            conn.request(method, target, body, headers or {})
            response = conn.getresponse()
            whole = None
            content = response.read()
            whole = True
        except (ConnectionError, http.client.HTTPException) as error:
            raise (NoAnswer if whole is False else Cut)(f"{asked}: {error!r}") from None
        finally:
            if keep and whole:
                self.kept[conn.host, conn.port] = conn
            else:
                conn.close()
        return Answer(asked, response.status, response.headers, content, time.monotonic() - began)

class Feed:
    """All pages of one read."""
    def __init__(self):
        self.pages, self.first = [], {}
    @property
    def records(self):
        return [record for page in self.pages for record in page]
    @property
    def cursor(self):
        return get(self.first, "lastPollTime") or next(iter(ids(self.records, "lastPollTime")), None)
    def whole(self):
        found = ids(self.records)
        same(len(found), get(self.first, "totalRecords"), "totalRecords")
        expect(len(set(found)) == len(found), "each agent once", sorted(found))
        return self
    def changes(self):
        """Without same-change duplicates."""
        return [*{tuple(get(r, n) for n in "agentId agentStateId outStateId isACW startDate".split()): r for r in self.records}.values()]

class Client:
    """Tokens and calls."""
    def __init__(self, args, wire):
        self.args, self.wire, self.issuer, self.tokens = args, wire, args.issuer.rstrip("/"), None
    @cached_property
    def token_endpoint(self):
        return get(self.wire.call("GET", self.issuer + "/.well-known/openid-configuration").want(200).data, "token_endpoint")
    @cached_property
    def api(self):
        return get(self.configuration().want(200).data, "api_endpoint").rstrip("/")
    @property
    def bearer(self):
        self.tokens = self.tokens or self.password_grant().want(200).data
        return {"Authorization": f"Bearer {get(self.tokens, 'access_token')}"}
    @property
    def claims(self):
        return self.bearer and decode_jwt(get(self.tokens, "id_token"))
    def configuration(self):
        query = urlencode({"tenantId": self.claims["tenantId"]})
        return self.wire.call("GET", f"{self.issuer}/.well-known/cxone-configuration?{query}")
    def basic(self, secret=None):
        pair = f"{self.args.client_id}:{secret or self.args.client_secret}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    def grant(self, kind, auth=None, **form):
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(self.basic() if auth is None else auth)}
        return self.wire.call("POST", self.token_endpoint, urlencode({"grant_type": kind, **form}), headers)
    def password_grant(self, secret=None, auth=None):
        return self.grant("password", auth, username=self.args.access_key_id, password=secret or self.args.access_key_secret)
    def access_key(self, secret=None):
        body = {"accessKeyId": self.args.access_key_id, "accessKeySecret": secret or self.args.access_key_secret}
        return self.call("POST", self.issuer + "/authentication/v1/token/access-key", body, auth={})
    def url(self, path, query=None, version=34):
        return f"{self.api}/incontactapi/services/v{version}.0{path}" + ("?" + urlencode(query) if query else "")
    def call(self, method, url, body=None, auth=None, fresh=False):
        """With the token, and on 401 once more with a new one; with auth given: just that."""
        headers, body = ({}, None) if body is None else ({"Content-Type": "application/json"}, json.dumps(body))
        answer = self.wire.call(method, url, body, {**headers, **(self.bearer if auth is None else auth)}, fresh)
        if answer.status == 401 and auth is None:
            self.tokens = None
            return self.wire.call(method, url, body, {**headers, **self.bearer}, fresh)
        return answer
    def read(self, path, query=None, **more):
        return self.call("GET", self.url(path, query), **more)
    def post(self, path, body=None, **more):
        return self.call("POST", self.url(path), body, **more)
    def set(self, agent, state, code=None, fresh=False):
        query = {"state": state} if code is None else {"state": state, "outStateId": code}
        return self.call("POST", self.url(f"/agents/{agent}/state", query), fresh=fresh)
    def drain(self, path, name, query=None, by="next", after_first=lambda: None):
        query = {"top": 500, **(query or {})}
        feed, url = Feed(), self.url(path, query)
        while url:
            expect(len(feed.pages) < 2000, f"the pages of {path} to end", "2000 pages")
            answer = self.call("GET", url)
            if answer.status in (204, 304) or (answer.status == 200 and not answer.body):
                break
            body = answer.want(200).data
            feed.pages.append(items(body, name))
            feed.first = feed.first or body
            link = get(get(body, "_links"), "next") if by == "next" else None
            more = by == "skip" and feed.pages[-1] and len(feed.records) < get(body, "totalRecords")
            url = urljoin(url, link) if link else self.url(path, {**query, "skip": len(feed.records)}) if more else None
            if len(feed.pages) == 1:
                after_first()
        return feed
    def states(self, since=EPOCH, query=None, **more):
        return self.drain("/agents/states", "agentStates", {"updatedSince": since, **(query or {})}, **more)
    def list_agents(self, **query):
        return self.drain("/agents", "agents", query, by="skip")

class World:
    """The simulator as the checks see it: its client, its control endpoint, and what the tenant has."""
    def __init__(self, args):
        self.args, self.wire, self.turn = args, Wire(), itertools.count()
        self.client = Client(args, self.wire)
    def control(self, method, path, body=None):
        headers = {} if body is None else {"Content-Type": "application/json"}
        url, body = self.args.control.rstrip("/") + path, None if body is None else json.dumps(body)
        answer = self.wire.call(method, url, body, headers).ok()
        return answer.data if answer.body else None
    def settings(self, **changed):
        self.control("POST", "/settings", changed)
    def fault(self, path, kind, count=1, **more):
        self.control("POST", "/faults", [{"path": path, "kind": kind, "count": count, **more}])
    def reset(self):
        self.control("POST", "/faults", [])
        self.settings(**SETTINGS)
    def put(self, agent, state, code=None, acw=False):
        self.control("POST", f"/agents/{agent}/state", {"agentStateId": state, "outStateId": code, "isACW": acw})
    def view(self, agent):
        return self.control("GET", f"/agents/{agent}")
    def contact(self, agent, state=3):
        self.control("POST", f"/agents/{agent}/contact", {"agentStateId": state})
    def end_contact(self, agent):
        self.control("DELETE", f"/agents/{agent}/contact")
    def record(self, agent):
        return next((record for record in self.client.states().records if get(record, "agentId") == agent), None)
    @cached_property
    def agents(self):
        return self.client.list_agents().records
    @cached_property
    def teams(self):
        return items(self.client.read("/teams").want(200).data, "teams")
    @cached_property
    def codes(self):
        return items(self.client.read("/unavailable-codes").want(200).data, "unavailableCodes")
    @cached_property
    def codes_of(self):
        """By team: the ids of its active codes, [0] without and [1] with after-call work."""
        codes = {team: items(self.team_codes(team), "unavailableCodes") for team in ids(self.teams, "teamId")}
        return {team: [[get(c, "outstateId") for c in found if get(c, "isAcw") is acw] for acw in (False, True)] for team, found in codes.items()}
    @cached_property
    def unknown_agent(self):
        return max(ids(self.agents)) + 1000003
    def team_codes(self, team, active_only="true"):
        return self.client.read(f"/teams/{team}/unavailable-codes", {"activeOnly": active_only}).want(200).data
    def code_name(self, code):
        return next(get(c, "name") for c in self.codes if get(c, "id") == code)
    def pick(self, state=1, acw=False):
        """(agent, codes): the next active agent whose team has an after-call code (acw) or two others, put in a state."""
        fitting = [a for a in self.agents if get(a, "isActive") and len(self.codes_of.get(get(a, "teamId"), [[], []])[acw]) > (not acw)]
        expect(fitting, "an active agent whose team has an after-call code, and one whose team has two codes", "none")
        agent = fitting[next(self.turn) % len(fitting)]
        self.put(get(agent, "agentId"), state)
        return get(agent, "agentId"), self.codes_of[get(agent, "teamId")][acw]
    def shows(self, agent, state, code=None):
        """In the simulator's own view and in the feed."""
        for source in (self.view, self.record):
            def right(seen):
                return get(seen, "agentStateId") == state and code in (None, get(seen, "outStateId"))
            expect(eventually(lambda: right(source(agent))), f"agent {agent} in {state}, {code} in the {source.__name__}", source(agent))
    def refused(self, agent, statuses, *answers):
        """Each refused so, and nothing changed: he is Available and nothing is queued."""
        for answer in answers:
            answer.want(*statuses)
            seen = self.view(agent)
            expect(get(seen, "agentStateId") == 1 and get(seen, "queued") is None, f"no change by {answer}", seen)
    def join(self, agent):
        session = get(self.client.post("/agent-sessions/join", {"asAgentId": agent}).ok().data, "sessionId")
        expect(session, "a sessionId", session)
        return f"/agent-sessions/{quote(str(session), safe='')}/state"
    def settle(self):
        """A cursor after which nothing has changed."""
        cursor = self.client.states().cursor
        for _ in range(5):
            feed = self.client.states(cursor)
            if not feed.records:
                return cursor
            cursor = feed.cursor
            time.sleep(0.02)
        raise Mismatch(f"expected no change while nobody acts; came {ids(feed.records)}")

def expect_tokens(w, answer, names="access_token refresh_token expires_in id_token"):
    tokens = answer.want(200).data
    expect_names(tokens, names, "the token answer")
    expect(type(get(tokens, "expires_in")) is int and get(tokens, "expires_in") > 600, "expires_in over 600", tokens)
    w.client.read("/agents/states", {"top": 1}, auth={"Authorization": f"Bearer {get(tokens, 'access_token')}"}).want(200)
    return tokens

def expect_error(answer, *statuses):
    body = answer.want(*statuses).data
    words = [get(body, name) for name in ("error", "error_description", "errorDescription")]
    expect(any(isinstance(word, str) and word for word in words), "error, error_description or errorDescription", answer)
    expect(get(body, "access_token") is None, "no token in an error", answer)

def expect_no_answer(call):
    try:
        answer = call()
    except NoAnswer:
        return
    raise Mismatch(f"expected a connection that is cut before an answer; came {answer}")

# Authentication
@check
def discovery(w):
    expect(place(w.client.token_endpoint)[2].endswith("/auth/token"), "a token_endpoint .../auth/token", w.client.token_endpoint)
@check
def token_password_grant(w):
    tokens = expect_tokens(w, w.client.password_grant(), "access_token token_type expires_in refresh_token id_token")
    same(str(get(tokens, "token_type")).lower(), "bearer", "token_type")
@check
def token_wrong_secret(w):
    for answer in (w.client.password_grant("wrong="), w.client.password_grant(auth=w.client.basic("wrong")), w.client.password_grant(auth={})):
        expect_error(answer, 400, 401)
@check
def token_refresh(w):
    first = w.client.password_grant().want(200).data
    second = expect_tokens(w, w.client.grant("refresh_token", refresh_token=get(first, "refresh_token")), "access_token expires_in")
    expect(get(first, "access_token") != get(second, "access_token"), "another access_token", "the same")
    expect_error(w.client.grant("refresh_token", refresh_token="wrong"), 400, 401)
@check
def token_client_credentials_is_not_offered(w):
    expect_error(w.client.grant("client_credentials"), 400, 401, 403)
@check
def access_key_token(w):
    expect_tokens(w, w.client.access_key())
@check
def access_key_wrong_secret(w):
    expect_error(w.client.access_key("wrong="), 400, 401)
@check
def id_token_claims(w):
    for answer in (w.client.password_grant(), w.client.access_key()):
        claims = decode_jwt(get(answer.want(200).data, "id_token"))
        expect_names(claims, "tenantId userId icAgentId icBUId icClusterId area teamId exp", "id_token")
        expect(0 < claims["exp"] - time.time() < 86400, "exp within a day from now, in seconds", claims["exp"])
@check
def cxone_configuration(w):
    found, claims = w.client.configuration().want(200).data, w.client.claims
    expect_names(found, "api_endpoint auth_endpoint area cluster domain acdDomain uhDomain tenantId", "cxone-configuration")
    same((get(found, "tenantId"), get(found, "area")), (claims["tenantId"], claims["area"]), "tenantId and area as in the id_token")
    place(get(found, "api_endpoint"))
@check
def no_token_is_401(w, agent, codes):
    for auth in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}, w.client.basic()):
        for path in ("/agents/states", "/agents", "/teams", "/unavailable-codes"):
            w.client.read(path, auth=auth).want(401)
        w.refused(agent, [401], w.client.post(f"/agents/{agent}/state?state=Unavailable", auth=auth))
@check
def expired_token_is_401(w):
    old = w.client.bearer
    w.control("POST", "/tokens/expire")
    w.client.read("/agents/states", auth=old).want(401)
    w.client.tokens = None
    w.client.read("/agents/states", auth=w.client.bearer).want(200)

# Receiving
@check
def states_full_snapshot(w):
    feed = w.client.states().whole()
    expect_names(feed.first, "totalRecords _links lastPollTime agentStates", "the answer")
    expect_names(get(feed.first, "_links"), "self next previous", "_links")
    expect(is_a(ISO, feed.cursor) and len(feed.records) >= 50, "an ISO lastPollTime, 50 agents", (feed.cursor, len(feed.records)))
    for record in feed.records:
        expect_names(record, "agentId agentStateId agentStateName isACW isOutbound isActive contactId firstName lastName userName teamId teamName"
                     " outStateId outStateDescription openContacts skillId stationId sessionStartTime startDate lastUpdateTime", "a record")
        expect(type(get(record, "agentId")) is int and get(record, "agentStateId") in range(9), "a numeric id and a state 0..8", record)
        same(get(record, "agentStateName"), STATES[get(record, "agentStateId")], "the state's name")
        expect(all(isinstance(get(record, name), bool) for name in ("isACW", "isOutbound", "isActive")), "booleans", record)
        expect(all(is_a(ISO, get(record, name)) for name in ("startDate", "lastUpdateTime")), "ISO times", record)
    absent = {get(a, "agentId") for a in w.agents if get(a, "isActive")} - set(ids(feed.records))
    expect(not absent, "every active agent", f"all but {absent}")
@check
def states_cursor_only_changes(w, agent, codes):
    cursor = w.settle()
    w.put(agent, 2, codes[0])
    feed = w.client.states(cursor)
    same(ids(feed.changes()), [agent], "the agent alone:")
    found = [get(feed.changes()[0], name) for name in ("agentStateId", "outStateId", "outStateDescription")]
    same(found, [2, codes[0], w.code_name(codes[0])])
    expect(eventually(lambda: not w.client.states(feed.cursor).records), "nothing after the new cursor", "still a change")
@check
def states_no_change_in_each_form(w, agent, codes):
    cursor = w.settle()
    for form in ("204", "304", "200"):
        w.settings(noChange=form)
        answer = w.client.read("/agents/states", {"updatedSince": cursor, "top": 100}).want(int(form))
        expect(not answer.body or (form == "200" and not items(answer.data, "agentStates")), f"{form} with nothing", answer)
    w.put(agent, 2)
    same(ids(w.client.states(cursor).changes()), [agent], "the change after the kept cursor:")
@check
def states_paging_by_next_and_by_skip_agree(w):
    everyone = set(ids(w.client.states().whole().records))
    w.settings(pageSizeMax=7)
    for by, query in itertools.product(("next", "skip"), ({"top": 7}, {"top": 500}, {"top": 3}, {"top": 7, "orderBy": "agentId"})):
        feed = w.client.states(by=by, query=query).whole()
        same(set(ids(feed.records)), everyone, f"by {by}, {query}:")
        expect(max(map(len, feed.pages)) <= min(7, query["top"]), f"short pages by {by}, {query}", [*map(len, feed.pages)])
@check
def states_paging_keeps_the_query(w):
    w.settings(pageSizeMax=20)
    feed = w.client.states(query={"fields": "agentId,agentStateId"})
    expect(len(feed.pages) > 1 and all(len(record) <= 3 for record in feed.records), "next to keep the fields", feed.records[-1])
    cursor = w.settle()
    changed = {w.pick()[0] for _ in range(5)}
    w.settings(pageSizeMax=2)
    for by in ("next", "skip"):
        same(set(ids(w.client.states(cursor, by=by).records)), changed, f"the changes alone, by {by}:")
@check
def states_fields_are_only_those_asked(w):
    asked = "agentId,agentStateId,startDate,outStateId"
    for record in w.client.states(query={"fields": asked}).records:
        same({name.lower() for name in record} - {"lastpolltime"}, set(asked.lower().split(",")), "the names")
@check
def states_names_pascal_case(w):
    camel = w.client.states().whole()
    w.settings(names="pascal")
    pascal = w.client.states()
    names = {name for thing in (pascal.first, *pascal.records) for name in thing}
    expect("AgentStates" in names and all(name[0].isupper() or name[0] == "_" for name in names), "names in PascalCase", sorted(names))
    expect(all(is_a(ISO, get(record, "lastPollTime")) for record in pascal.records), "lastPollTime in each record", pascal.records[0])
    same(set(ids(pascal.records)), set(ids(camel.records)), "the same agents:")
@check
def states_each_state_and_acw(w, agent, codes):
    for state, name in enumerate(STATES):
        w.put(agent, state)
        same([get(w.record(agent), "agentStateId"), get(w.record(agent), "agentStateName")], [state, name])
    for state, code, acw in ((2, codes[0], True), (2, -1, False), (1, None, False)):
        w.put(agent, state, code, acw)
        same([get(w.record(agent), "agentStateId"), get(w.record(agent), "isACW")], [state, acw], f"with out-state {code}, state and isACW")
@check
def path_case_does_not_matter(w, agent, codes):
    for path in ("/InContactAPI/services/v34.0/agents/states", "/INCONTACTAPI/SERVICES/V34.0/AGENTS/STATES", "/inContactAPI/Services/v34.0/Teams"):
        w.client.call("GET", w.client.api + path).want(200)
    w.client.call("POST", f"{w.client.api}/InContactAPI/services/v34.0/Agents/{agent}/State?state=Unavailable").ok()
    w.shows(agent, 2)
@check
def versions_23_to_34(w, agent, codes):
    for version in range(23, 35):
        w.client.call("GET", w.client.url("/agents/states", {"top": 1}, version)).want(200)
        w.client.call("POST", w.client.url(f"/agents/{agent}/state", {"state": STATES[1 + version % 2]}, version)).ok()
        expect(eventually(lambda: get(w.view(agent), "agentStateId") == 1 + version % 2), f"the set of v{version}", w.view(agent))
@check
def last_state_wins_between_polls(w, agent, codes):
    cursor = w.settle()
    for state, code in ((2, codes[0]), (1, None), (2, codes[1])):
        w.put(agent, state, code)
    same([(get(r, "agentId"), get(r, "outStateId")) for r in w.client.states(cursor).changes()], [(agent, codes[1])], "the last alone:")
@check(state=0)
def logged_out_shown_or_not(w, agent, codes):
    same(get(w.record(agent), "agentStateId"), 0, "a record of the logged-out agent:")
    w.settings(loggedOut=False)
    expect(0 not in ids(w.client.states().records, "agentStateId") and w.record(agent) is None, "nobody who is logged out", w.record(agent))

# Setting
@check(state=2)
def set_available_by_query(w, agent, codes):
    w.client.set(agent, "Available").ok()
    w.shows(agent, 1)
@check
def set_unavailable_with_code_by_query(w, agent, codes):
    for code in codes[:2]:
        w.client.set(agent, "Unavailable", code).ok()
        w.shows(agent, 2, code)
        same(get(w.record(agent), "outStateDescription"), w.code_name(code))
@check
def set_unavailable_without_code(w, agent, codes):
    w.put(agent, 2, codes[0])
    w.client.set(agent, "Unavailable").ok()
    expect(eventually(lambda: get(w.view(agent), "outStateId") != codes[0]), "the default Unavailable, without a code", w.view(agent))
    w.shows(agent, 2)
@check
def set_by_json_body(w, agent, codes):
    for version, (state, code) in itertools.product((34, 23), (("Unavailable", codes[0]), ("Available", None))):
        body = {"state": state} if code is None else {"state": state, "outStateId": code}
        w.client.call("POST", w.client.url(f"/agents/{agent}/state", version=version), body).ok()
        w.shows(agent, STATES.index(state), code)
@check
def set_bad_state_is_400(w, agent, codes):
    for state in ("Lunch", "InboundContact", "LoggedOut", ""):
        w.refused(agent, [400], w.client.set(agent, state), w.client.post(f"/agents/{agent}/state", {"state": state}))
    w.refused(agent, [400], w.client.post(f"/agents/{agent}/state?outStateId={codes[0]}"), w.client.post(f"/agents/{agent}/state"))
@check
def set_unknown_agent_is_404(w):
    w.client.set(w.unknown_agent, "Available").want(404)
    w.client.post(f"/agents/{w.unknown_agent}/logout").want(404)
@check(state=0)
def set_logged_out_agent_is_409(w, agent, codes):
    w.client.set(agent, "Available").want(409)
    w.client.set(agent, "Unavailable", codes[0]).want(409)
    w.shows(agent, 0)
@check
def set_code_not_on_team_is_400_or_409(w, agent, codes):
    active = {get(c, "id") for c in w.codes if get(c, "isActive") and not get(c, "isACW")}
    lacking = [(get(a, "agentId"), code) for a in w.agents if get(a, "isActive") for code in active - set(w.codes_of[get(a, "teamId")][0])]
    expect(lacking, "a code that is not on the team of every agent", active)
    for who, code in [*lacking[:5], (agent, max(ids(w.codes, "id")) + 99991), (agent, "nonsense")]:
        w.put(who, 1)
        w.refused(who, [400, 409], w.client.set(who, "Unavailable", code))
@check
def set_reserved_code_is_400_or_409(w, agent, codes):
    w.refused(agent, [400, 409], *(w.client.set(agent, "Unavailable", code) for code in range(-13, 0)))
@check(acw=True)
def set_acw_code_outside_contact_is_409(w, agent, codes):
    w.refused(agent, [409], w.client.set(agent, "Unavailable", codes[0]))
@check(acw=True)
def set_acw_code_in_contact_is_accepted(w, agent, codes):
    w.contact(agent)
    w.client.set(agent, "Unavailable", codes[0]).ok()
    w.end_contact(agent)
    w.shows(agent, 2, codes[0])
@check
def set_during_contact_is_queued(w, agent, codes):
    for state in range(3, 8):
        w.contact(agent, state)
        w.client.set(agent, "Unavailable", codes[0]).ok()
        time.sleep(0.1)
        w.shows(agent, state)
        expect(get(w.view(agent), "queued") is not None, "the set queued", w.view(agent))
        w.end_contact(agent)
@check
def queued_set_is_applied_when_contact_ends(w, agent, codes):
    w.contact(agent)
    w.client.set(agent, "Unavailable", codes[0]).ok()
    cursor = w.client.states().cursor
    w.end_contact(agent)
    w.shows(agent, 2, codes[0])
    same(get(w.view(agent), "queued"), None, "queued")
    expect(agent in ids(w.client.states(cursor).records), "the change in the feed", "none")
@check
def last_queued_set_wins(w, agent, codes):
    w.contact(agent, 4)
    for state, code in (("Unavailable", codes[0]), ("Available", None), ("Unavailable", codes[1])):
        w.client.set(agent, state, code).ok()
    w.end_contact(agent)
    w.shows(agent, 2, codes[1])
@check
def contact_without_a_set_returns_where_he_was(w, agent, codes):
    for state, code in ((1, None), (2, codes[0])):
        w.put(agent, state, code)
        w.contact(agent)
        w.shows(agent, 3)
        w.end_contact(agent)
        w.shows(agent, state, code)
@check
def session_join_and_set_by_reason_name(w, agent, codes):
    path = w.join(agent)
    w.client.post(path, {"state": "Unavailable", "reason": w.code_name(codes[1])}).ok()
    w.shows(agent, 2, codes[1])
    w.client.post(path, {"state": "Available"}).ok()
    w.shows(agent, 1)
@check
def session_unknown_is_404(w):
    w.client.post("/agent-sessions/no-such-session/state", {"state": "Available"}).want(404)
@check
def session_bad_state_is_400(w, agent, codes):
    w.refused(agent, [400], w.client.post(w.join(agent), {"state": "Lunch"}))
@check(acw=True)
def session_acw_code_outside_contact_is_409(w, agent, codes):
    w.refused(agent, [409], w.client.post(w.join(agent), {"state": "Unavailable", "reason": w.code_name(codes[0])}))
@check
def logout(w, agent, codes):
    w.client.post(f"/agents/{agent}/logout").ok()
    w.shows(agent, 0)
@check
def logged_out_cannot_be_set(w, agent, codes):
    w.client.post(f"/agents/{agent}/logout").ok()
    w.shows(agent, 0)
    w.client.set(agent, "Available").want(409)
    w.shows(agent, 0)

# Admin reads
@check
def agents_list_and_paging(w):
    feed = w.client.list_agents().whole()
    expect_names(feed.first, "businessUnitId lastPollTime totalRecords hiddenAgents agents", "the answer")
    expect(len(feed.records) >= 50 and is_a(ISO, feed.cursor), "50 agents, an ISO lastPollTime", (len(feed.records), feed.cursor))
    for agent in feed.records:
        expect_names(agent, "agentId userID userName firstName lastName emailAddress isActive teamId teamName teamUuId lastUpdated federatedId", "an agent")
        expect(type(get(agent, "agentId")) is int and is_a(UUID, get(agent, "userID")), "a numeric id and a UUID", agent)
    w.settings(pageSizeMax=9)
    for top in (9, 500, 4):
        paged = w.client.list_agents(top=top).whole()
        same(set(ids(paged.records)), set(ids(feed.records)), "the same agents in pages:")
        expect(max(map(len, paged.pages)) <= min(top, 9), f"pages of at most 9 and {top}", [*map(len, paged.pages)])
    same(set(ids(w.client.list_agents(isActive="true").records, "isActive")), {True}, "isActive")
    expect(all({*map(str.lower, a)} == {"agentid", "username"} for a in w.client.list_agents(fields="agentId,userName").records), "the fields asked alone")
@check
def agents_update_since_both_spellings(w):
    everyone, found = w.client.list_agents(), {}
    for since in (EPOCH, sorted(ids(everyone.records, "lastUpdated"))[len(everyone.records) // 2], everyone.cursor):
        queries = ({"updateSince": since}, {"updatedSince": since}, {"updateSince": since, "updatedSince": since})
        one, other, both = ({*ids(w.client.list_agents(**query).records)} for query in queries)
        expect(one == other == both, f"the same since {since} by both spellings", [len(one), len(other), len(both)])
        found[since] = one
    same(found[EPOCH], {*ids(everyone.records)}, "since the epoch, all:")
    same(found[everyone.cursor], set(), "since the last poll, none:")
@check
def teams(w):
    expect(len(w.teams) > 1, "several teams", w.teams)
    for team in w.teams:
        expect_names(team, "teamId teamUuid teamName isActive agentCount lastUpdateTime", "a team")
        expect(type(get(team, "teamId")) is int and type(get(team, "agentCount")) is int, "numbers", team)
    same({*ids(w.agents, "teamId")} - {*ids(w.teams, "teamId")}, set(), "teams of agents that are not listed:")
@check
def unavailable_codes(w):
    for code in w.codes:
        expect_names(code, "id name isActive isACW agentTimeout", "a code")
    kinds = {(get(c, "isActive"), get(c, "isACW")) for c in w.codes}
    expect({(True, False), (True, True)} <= kinds and any(not active for active, _ in kinds), "ordinary, after-call and inactive codes", kinds)
@check
def team_codes(w):
    names = {get(c, "id"): get(c, "name") for c in w.codes}
    for team in ids(w.teams, "teamId"):
        body, every = w.team_codes(team), items(w.team_codes(team, "false"), "unavailableCodes")
        expect_names(body, "teamId teamName unavailableCodes", "the answer")
        same(get(body, "teamId"), team, "teamId")
        for code in items(body, "unavailableCodes"):
            expect_names(code, "outstateId outstateName isActive isAcw agentTimeoutMins", "a team's code")
            same([get(code, "isActive"), get(code, "outstateName")], [True, names.get(get(code, "outstateId"))], "isActive, outstateName")
            expect(get(code, "outstateId") in ids(every, "outstateId"), "activeOnly=false to have it too", code)
    w.client.read(f"/teams/{max(ids(w.teams, 'teamId')) + 99991}/unavailable-codes").want(400, 404)
@check
def code_teams(w):
    of_team = {team: ids(items(w.team_codes(team, "false"), "unavailableCodes"), "outstateId") for team in ids(w.teams, "teamId")}
    for code in ids(w.codes, "id"):
        body = w.client.read(f"/unavailable-codes/{code}/teams").want(200).data
        found = {*ids(body if isinstance(body, list) else items(body, "teams"), "teamId")}
        same(found, {team for team, codes in of_team.items() if code in codes}, f"code {code} on the teams")
@check
def user_hub_users_join_agents_by_uuid(w):
    url, users = w.client.issuer + "/user-management/v1/users", []
    w.client.call("GET", url, auth={}).want(401)
    while url and len(users) < 100000:
        body = w.client.call("GET", url).want(200).data
        users += items(body, "users")
        link = get(get(body, "_links"), "next")
        url = link and urljoin(url, link)
    for user in users:
        expect_names(user, "id userName emailAddress status teamId externalIdentity", "a user")
        known = get(user, "status") in ("ACTIVE", "PENDING", "BLOCKED", "DELETED", "UNREGISTERED")
        expect(is_a(UUID, get(user, "id")) and known, "a UUID and a known status", user)
    names = {get(user, "id").lower(): get(user, "userName") for user in users}
    same(len(names), len(users), "each user once:")
    for agent in w.agents:
        same(names.get(get(agent, "userID").lower()), get(agent, "userName"), "the user's name")

# Limits, faults and errors
@check
def rate_limit_429_with_retry_after(w):
    w.client.read("/teams").want(200)
    w.settings(rate={"perMinute": 60, "burst": 5})
    answers = [w.client.read("/agents/states", {"top": 1}).want(200, 429) for _ in range(20)]
    waits = [a.headers.get("Retry-After") for a in answers if a.status == 429]
    expect(answers[0].status == 200 and len(waits) >= 5, "200 first, and 429 after a burst of 5", [a.status for a in answers])
    expect(all(str(seconds).isdigit() for seconds in waits), "Retry-After in seconds", waits)
    time.sleep(min(max(int(waits[-1]), 1), 5))
    w.client.read("/agents/states", {"top": 1}).want(200)
@check
def fault_503_with_retry_after(w):
    w.fault("/agents/states", "status", status=503, retryAfter="2", count=2)
    same([w.client.read("/agents/states").want(503).headers.get("Retry-After") for _ in range(2)], ["2", "2"], "Retry-After")
    w.client.read("/agents/states").want(200)
@check
def fault_latency(w):
    w.fault("/agents/states", "latency", ms=600)
    took = [w.client.read("/agents/states").want(200).seconds for _ in range(2)]
    expect(took[0] >= 0.55 > took[1], "0.6 s, then less", took)
@check
def fault_reset(w, agent, codes):
    w.fault(f"/agents/{agent}/state", "reset")
    expect_no_answer(lambda: w.client.set(agent, "Unavailable", fresh=True))
    w.shows(agent, 1)
    w.client.set(agent, "Unavailable").ok()
@check
def fault_cut(w):
    w.fault("/agents/states", "cut")
    try:
        answer = w.client.read("/agents/states", fresh=True)
    except Cut:
        return
    expect(answer.body and not answer.is_json, "half a body", answer)
@check
def fault_html(w):
    w.fault("/agents/states", "html")
    answer = w.client.read("/agents/states").want(200)
    expect(answer.body.lstrip().startswith(b"<"), "an HTML page", answer)
@check
def fault_empty(w):
    w.fault("/agents/states", "empty")
    same(w.client.read("/agents/states").want(200).body, b"", "an empty body")
@check
def fault_lost_is_accepted_and_not_applied(w, agent, codes):
    w.fault(f"/agents/{agent}/state", "lost")
    w.client.set(agent, "Unavailable").ok()
    time.sleep(0.3)
    w.shows(agent, 1)
@check
def fault_late_is_applied_later(w, agent, codes):
    w.fault(f"/agents/{agent}/state", "late", ms=800)
    w.client.set(agent, "Unavailable").ok()
    same(get(w.view(agent), "agentStateId"), 1, "at first")
    expect(eventually(lambda: get(w.view(agent), "agentStateId") == 2, 4), "applied later", w.view(agent))
@check
def fault_after_is_applied_without_answer(w, agent, codes):
    w.fault(f"/agents/{agent}/state", "after")
    expect_no_answer(lambda: w.client.set(agent, "Unavailable", fresh=True))
    w.shows(agent, 2)
@check
def fault_repeat_and_skip_of_a_page(w):
    w.settings(pageSizeMax=10)
    everyone = set(ids(w.client.states().whole().records))
    for by in ("next", "skip"):
        found = ids(w.client.states(by=by, after_first=partial(w.fault, "/agents/states", "repeat")).records)
        expect(len(set(found)) < len(found), f"a page twice by {by}", found)
        found = ids(w.client.states(by=by, after_first=partial(w.fault, "/agents/states", "skip")).records)
        expect(set(found) < everyone, f"a page left out by {by}", found)
        w.control("POST", "/faults", [])
        w.client.states(by=by).whole()
@check
def date_header_follows_offset(w):
    for offset in (0, 90, -3600):
        w.settings(dateOffsetMs=offset * 1000)
        date = w.client.read("/teams").want(200).headers.get("Date")
        ahead = email.utils.parsedate_to_datetime(date).timestamp() - time.time()
        expect(abs(ahead - offset) <= 2.5, f"a Date header {offset} s ahead", date)
@check(state=0)
def shapes_of_errors(w, away, codes):
    agent, _ = w.pick()
    expect_error(w.client.password_grant("wrong"), 400, 401)
    expect_error(w.client.access_key("wrong"), 400, 401)
    expect_error(w.client.read("/agents/states", auth={}), 401)
    expect_error(w.client.set(agent, "Lunch"), 400)
    expect_error(w.client.set(w.unknown_agent, "Available"), 404)
    expect_error(w.client.set(away, "Available"), 409)
@check
def log_has_the_calls(w, agent, codes):
    w.control("DELETE", "/log")
    calls = w.client.read("/teams").want(200), w.client.set(agent, "Unavailable").ok(), w.client.set(agent, "Lunch").want(400)
    log = w.control("GET", "/log")
    for entry in log:
        expect_names(entry, "at method path status agentId applied", "an entry")
        expect(is_a(ISO, get(entry, "at")) and isinstance(get(entry, "applied"), bool), "a time and a boolean", entry)
    found = [tuple(get(entry, name) for name in ("method", "status", "agentId")) for entry in log]
    same(found, [(method, a.status, who) for method, a, who in zip(("GET", "POST", "POST"), calls, (None, agent, agent))], "the calls")
    same(ids(log, "applied")[1:], [True, False], "applied")
    expect(all(part in get(e, "path").lower() for part, e in zip(("/teams", f"/{agent}/state", f"/{agent}/state"), log)), "the paths", log)

# Bad requests at random
ODD = ("-1 0 1e309 NaN null true %00 %ff%fe %zz % .. %2e%2e %2f ' {} [] ; * ~ 9223372036854775808 4294967296 -2147483649 %F0%9F%92%A5 1,2,,3 0x10 1.5"
       " 1970-13-45T99:99:99Z 2026-01-05T10:00:00 +999999-01-01T00:00:00Z Available Unavailable %0d%0aX-Y:z $(x)").split() + ["", "9" * 60, "-" + "9" * 30, "a" * 2000]
ODD_JSON = [None, True, -1, 0, 1e308, 10 ** 40, -10 ** 40, 2 ** 63, 1.5, "", "Available", "Unavailable", "\0", "\ud800", "x" * 3000, [], {}, [[]], {"a": {}}]
METHODS = "GET GET POST POST POST PUT PATCH DELETE HEAD OPTIONS PROPFIND".split()
TYPES = ["application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded", "text/xml", "multipart/form-data", "", "json", "*/*"]
NAMES = ("state outStateId top skip orderBy updatedSince updateSince fields isActive activeOnly tenantId asAgentId reason accessKeyId accessKeySecret"
         " grant_type username password refresh_token x").split()

class Fuzz:
    def __init__(self, w):
        self.rng, self.wire, client = random.Random(w.args.seed), Wire(timeout=5), w.client
        agent, team, code = get(w.agents[0], "agentId"), get(w.teams[0], "teamId"), get(w.codes[0], "id")
        acd = ["/agents/states", "/agents", f"/agents/{agent}/state", f"/agents/{agent}/logout", "/teams", f"/teams/{team}/unavailable-codes", w.join(agent),
               "/unavailable-codes", f"/unavailable-codes/{code}/teams", "/agent-sessions/join", "/agent-sessions/1/state"]
        other = ["/.well-known/openid-configuration", "/.well-known/cxone-configuration", "/authentication/v1/token/access-key", "/user-management/v1/users"]
        self.urls = [*map(client.url, acd), client.token_endpoint, *(client.issuer + path for path in other)]
        self.auths = [client.bearer] * 8 + [client.basic(), {}] + [{"Authorization": auth} for auth in (
            "", "Bearer", "Bearer ", "Bearer x.y.z", "Basic !!!", "Basic Og==", "Basic //79/A==", "Digest x", "Bearer " + "a" * 4000)]
    def url(self):
        pick, parts = self.rng.choice, urlsplit(self.rng.choice(self.urls))
        steps = parts.path.split("/")[1:]
        for _ in range(pick((0, 0, 1, 1, 2))):
            at = self.rng.randrange(len(steps))
            version = pick(("v0.0", "v-1.0", "v99999999999999.0", "v34", "v.0"))
            new = pick(([], [pick(ODD)], [steps[at], pick(ODD)], [steps[at]] * 2, [steps[at].swapcase()], [steps[at][:-1]], [version]))
            steps = steps[:at] + new + steps[at + 1:] or [""]
        query = "&".join(pick(NAMES) + pick(("=", "=", "=", "", "==")) + pick(ODD) for _ in range(pick((0, 0, 1, 2, 5))))
        return f"{parts.scheme}://{parts.netloc}/" + "/".join(steps) + ("?" + query if query else "")
    def body(self):
        pick = self.rng.choice
        good = json.dumps({pick(NAMES): pick(ODD_JSON) for _ in range(self.rng.randrange(5))})
        form = "&".join(f"{pick(NAMES)}={pick(ODD)}" for _ in range(4))
        return pick((None, b"", good, good, good, good[:len(good) // 2], json.dumps(pick(ODD_JSON)), form, "[" * 3000, '{"state":1e999}',
                     self.rng.randbytes(200), "grant_type=password&username=%ff&password"))
    def one(self):
        """None, or what is wrong with the answer."""
        method, url, body = self.rng.choice(METHODS), self.url(), self.body()
        headers = {**self.rng.choice(self.auths), **({} if body is None else {"Content-Type": self.rng.choice(TYPES)})}
        asked = f"{method} {url[:200]} {str(headers)[:80]} {str(body)[:80]}"
        try:
            answer = self.wire.call(method, url, body, headers)
        except (NoAnswer, Cut, OSError) as error:
            return f"{type(error).__name__} {str(error)[-80:]} to {asked}"
        return f"{answer.status} after {answer.seconds:.1f} s to {asked}" if answer.status >= 500 or answer.seconds > 5 else None

def fuzz(w):
    run, wrong = Fuzz(w), []
    for number in range(w.args.fuzz):
        problem = run.one()
        wrong += [f"#{number}: {problem}"] if problem else []
        if len(wrong) >= 20:
            break
    expect(not wrong, f"an answer within 5 s and no 5xx to each (seed {w.args.seed})", f"{len(wrong)} others, {' | '.join(wrong)}")
    expect(len(w.client.states().whole().records) >= 50, "a plain snapshot afterwards", "fewer agents")

def run(w, function, pick):
    """(what is wrong or None, the exit code)"""
    try:
        w.reset()
        function(w, *(w.pick(**pick) if function.__code__.co_argcount == 3 else ()))
    except Mismatch as mismatch:
        return str(mismatch), 1
    except Foreign as foreign:
        return f"expected loopback alone; {foreign}", 2
    except Exception as error:  # a crash fails its own check, the others go on
        trace = error.__traceback__
        while trace.tb_next and trace.tb_next.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        return f"expected no crash; came {error!r} at line {trace.tb_lineno}", 1
    return None, 0

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("--issuer", "--control", "--client-id", "--client-secret", "--access-key-id", "--access-key-secret"):
        parser.add_argument(name, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fuzz", type=int, default=2000)
    args = parser.parse_args()
    try:
        place(args.issuer), place(args.control)
    except Foreign as foreign:
        print(foreign, file=sys.stderr)
        return 2
    w, worst = World(args), 0
    for function, pick in [*CHECKS, (fuzz, {})]:
        wrong, code = run(w, function, pick)
        worst = max(worst, code)
        print(f"FAIL {function.__name__}: {wrong}" if wrong else f"ok   {function.__name__}", flush=True)
    return worst

if __name__ == "__main__":
    sys.exit(main())
