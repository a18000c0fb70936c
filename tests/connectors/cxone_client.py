#!/usr/bin/env python3
"""A client of the NICE CXone API, written from the contract alone: checks that a simulator speaks it.

A check is a function with @check, or a row of ERRORS, READ_FAULTS or STORIES (the steps of one agent); it raises Mismatch.
Faults and settings are put back before each; one that takes an agent gets the next, Available.
Exit 0: all hold; 1: some do not; 2: a host that is not loopback was named, in the arguments or by an answer.
"""
import argparse, base64, http.client, ipaddress, itertools, json, random, re, sys, threading, time, traceback
from collections import namedtuple
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from urllib.parse import quote, urlencode, urljoin, urlsplit

EPOCH = "1970-01-01T00:00:00.000Z"
STATES = "LoggedOut Available Unavailable InboundContact OutboundContact InboundConsult OutboundConsult Dialer LoggedIn".split()
SETTINGS = {"noChange": "200", "names": "camel", "pageSizeMax": 1000, "loggedOut": True, "rate": None, "dateOffsetMs": 0,
            "hasAdminCall": True, "hiddenAgents": 0, "badCodeStatus": 409}
OK, CHECKS = range(200, 300), []
SHAPES = {  # the names that must be there, and the kinds of some
    "token": "access_token:text token_type:text expires_in:int refresh_token:text id_token:text",
    "access-key token": "access_token:text expires_in:int refresh_token:text id_token:text",
    "refreshed token": "access_token:text expires_in:int",
    "id_token": "tenantId userId icAgentId icBUId icClusterId area teamId exp:int",
    "configuration": "api_endpoint:text auth_endpoint area cluster domain acdDomain uhDomain tenantId",
    "states": "totalRecords:int _links lastPollTime:time agentStates", "links": "self next previous",
    "state": "agentId:int agentStateId:int agentStateName isACW:bool isOutbound:bool isActive:bool contactId firstName lastName userName teamId:int"
             " teamName outStateId outStateDescription openContacts skillId stationId sessionStartTime startDate:time lastUpdateTime:time",
    "agents": "businessUnitId lastPollTime:time totalRecords:int hiddenAgents:int agents",
    "agent": "agentId:int userID:uuid userName firstName lastName emailAddress isActive:bool teamId:int teamName teamUuId lastUpdated:time federatedId",
    "team": "teamId:int teamUuid:uuid teamName isActive:bool agentCount:int lastUpdateTime:time",
    "code": "id:int name isActive:bool isACW:bool agentTimeout",
    "team codes": "teamId:int teamName unavailableCodes", "team code": "outstateId:int outstateName isActive:bool isAcw:bool agentTimeoutMins",
    "user": "id:uuid userName emailAddress status:status teamId externalIdentity",
    "log entry": "at:time method path status:int agentId applied:bool",
}
KINDS = {name: re.compile(pattern, re.I).fullmatch for name, pattern in {  # of the JSON of a value
    "text": r'".+"', "int": r"-?\d+", "bool": "true|false", "uuid": '"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"',
    "time": r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"', "status": '"(ACTIVE|PENDING|BLOCKED|DELETED|UNREGISTERED)"'}.items()}

class Mismatch(Exception): """What was expected and what came."""
class Foreign(Exception): """A host that is not loopback."""
class NoAnswer(Exception): """The connection ended before an answer."""
class Cut(Exception): """The answer began, and its body is not whole."""

def check(function):
    CHECKS.append((function.__name__, function if function.__code__.co_argcount == 1 else lambda w: function(w, w.pick())))
    return function
def expect(holds, expected, came=None):
    if not holds: raise Mismatch(f"expected {str(expected)[:300]}; came {str(came)[:400]}")
def same(came, wanted, what=""): expect(came == wanted, f"{what} {wanted}".strip(), came)
def get(thing, *names):  # a value by its name, whose case does not matter; a list of them for several names
    lower = {key.lower(): value for key, value in (thing or {}).items()}
    found = [lower.get(name.lower()) for name in names]
    return found if len(names) > 1 else found[0]
def ids(records, name="agentId"): return [get(record, name) for record in records]
def shaped(thing, shape):
    expect(isinstance(thing, dict), f"an object as {shape}", thing)
    names = {key.lower() for key in thing}
    for name, _, kind in (entry.partition(":") for entry in SHAPES[shape].split()):
        expect(name.lower() in names, f"{name} in the {shape}", sorted(thing))
        expect(not kind or KINDS[kind](json.dumps(get(thing, name))), f"{name} of kind {kind} in the {shape}", get(thing, name))
    return thing
def items(body, name, shape=None):
    found = get(body, name)
    expect(isinstance(found, list) and all(isinstance(item, dict) for item in found), f"a list of objects {name}", body)
    return [shaped(item, shape) for item in found] if shape else found
def eventually(function, seconds=10.0):
    until = time.monotonic() + seconds
    while not function() and time.monotonic() < until: time.sleep(0.02)
    return function()
def place(url):  # (host, port, target) of an http address on loopback, else Foreign
    expect(isinstance(url, str) and url, "an address", url)
    try:
        parts = urlsplit(url)
        if parts.scheme == "http" and (parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback):
            return parts.hostname, parts.port or 80, (parts.path or "/") + ("?" + parts.query if parts.query else "")
    except ValueError: pass
    raise Foreign(f"refused {url[:200]}: not http on loopback")
def claims_of(tokens):
    parts = str(get(tokens, "id_token")).split(".")
    expect(len(parts) == 3, "an id_token of three parts", parts)
    claims = shaped(json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))), "id_token")
    expect(0 < claims["exp"] - time.time() < 86400, "exp within a day from now, in seconds", claims)
    return claims

class Answer(namedtuple("Answer", "asked status headers body seconds")):
    def __str__(self): return f"{self.status} {self.body[:160]!r} to {self.asked}"
    def ok(self): return self.want(*OK)
    def want(self, *statuses):
        expect(self.status in statuses, "2xx" if statuses == (*OK,) else " or ".join(map(str, statuses)), self)
        return self
    @property
    def data(self):
        try: return json.loads(self.body)
        except ValueError: raise Mismatch(f"expected JSON; came {self}") from None

class Wire:
    """HTTP with one kept connection a server; a fresh call opens its own and is never repeated."""
    def __init__(self, timeout=10): self.timeout, self.kept = timeout, {}
    def call(self, method, url, body=None, headers=None, fresh=False):
        host, port, target = place(url)
        kept = None if fresh else self.kept.pop((host, port), None)
        try:
            if kept and kept.sock: return self.once(kept, method, target, body, headers)
        except NoAnswer: pass  # perhaps it was closed while idle: a new connection tells
        return self.once(http.client.HTTPConnection(host, port, timeout=self.timeout), method, target, body, headers)
    def once(self, conn, method, target, body, headers):
        began, response, content = time.monotonic(), None, None
        try:
            conn.request(method, target, body, headers or {})
            response = conn.getresponse()
            content = response.read()
        except (ConnectionError, http.client.HTTPException) as error:
            raise (Cut if response else NoAnswer)(f"{method} {target[:120]}: {error!r}") from None
        finally:
            if content is None: conn.close()
        self.kept[conn.host, conn.port] = conn
        return Answer(f"{method} {target[:120]}", response.status, response.headers, content, time.monotonic() - began)

class Feed:
    """All pages of one read."""
    def __init__(self): self.pages, self.first = [], {}
    records = property(lambda self: [record for page in self.pages for record in page])
    ids = property(lambda self: {*ids(self.records)})
    cursor = property(lambda self: get(self.first, "lastPollTime") or next(iter(ids(self.records, "lastPollTime")), None))
    def whole(self, longest=1000):
        same(len(self.records), get(self.first, "totalRecords"), "totalRecords")
        expect(len(self.ids) == len(self.records), "each agent once", sorted(ids(self.records)))
        expect(all(len(page) <= longest for page in self.pages), f"pages of at most {longest}", [*map(len, self.pages)])
        return self
    def changes(self, *names):  # these values of each change, without same-change duplicates
        change = "agentId", "agentStateId", "outStateId", "isACW", "startDate"
        return [get(r, "agentId", *names) for r in {tuple(get(r, *change)): r for r in self.records}.values()]

class Client:
    """Tokens and calls."""
    def __init__(self, args, wire): self.args, self.wire, self.issuer, self.tokens = args, wire, args.issuer.rstrip("/"), None
    found = cached_property(lambda self: self.wire.call("GET", self.issuer + "/.well-known/openid-configuration").want(200).data)
    token_endpoint = property(lambda self: get(self.found, "token_endpoint"))
    api = cached_property(lambda self: get(self.configuration().want(200).data, "api_endpoint").rstrip("/"))
    @property
    def bearer(self):
        self.tokens = self.tokens or self.password_grant().want(200).data
        return {"Authorization": f"Bearer {get(self.tokens, 'access_token')}"}
    claims = property(lambda self: self.bearer and claims_of(self.tokens))
    def configuration(self):
        return self.wire.call("GET", f"{self.issuer}/.well-known/cxone-configuration?" + urlencode({"tenantId": self.claims["tenantId"]}))
    def basic(self, secret=None):
        return {"Authorization": "Basic " + base64.b64encode(f"{self.args.client_id}:{secret or self.args.client_secret}".encode()).decode()}
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
    def call(self, method, url, body=None, auth=None, fresh=False):  # with the token, and on 401 once more with a new one; with auth given: just that
        headers, body = ({}, None) if body is None else ({"Content-Type": "application/json"}, json.dumps(body))
        answer = self.wire.call(method, url, body, {**headers, **(self.bearer if auth is None else auth)}, fresh)
        if answer.status != 401 or auth is not None: return answer
        self.tokens = None
        return self.wire.call(method, url, body, {**headers, **self.bearer}, fresh)
    def read(self, path, query=None, version=34, **more): return self.call("GET", self.url(path, query, version), **more)
    def post(self, path, body=None, query=None, version=34, **more): return self.call("POST", self.url(path, query, version), body, **more)
    def drain(self, url, name, by="next", after_first=lambda: None):
        feed, start = Feed(), url
        while url:
            expect(len(feed.pages) < 2000, f"the pages of {start} to end", "2000 pages")
            answer = self.call("GET", url)
            if answer.status in (204, 304) or (answer.status == 200 and not answer.body): break
            body = answer.want(200).data
            feed.pages.append(items(body, name))
            feed.first = feed.first or body
            link = get(get(body, "_links"), "next") if by == "next" else None
            more = by == "skip" and feed.pages[-1] and len(feed.records) < get(body, "totalRecords")
            url = urljoin(url, link) if link else f"{start}&skip={len(feed.records)}" if more else None
            if len(feed.pages) == 1: after_first()
        return feed
    def states(self, since=EPOCH, query=None, **more):
        return self.drain(self.url("/agents/states", {"updatedSince": since, "top": 500, **(query or {})}), "agentStates", **more)
    def list_agents(self, **query): return self.drain(self.url("/agents", {"top": 500, **query}), "agents", by="skip")

class World:
    """The simulator as the checks see it: its client, its control endpoint, and what the tenant has."""
    def __init__(self, args):
        self.args, self.wire, self.turn = args, Wire(), itertools.count()
        self.client = Client(args, self.wire)
    def control(self, method, path, body=None):
        body, url = None if body is None else json.dumps(body), self.args.control.rstrip("/") + path
        answer = self.wire.call(method, url, body, {"Content-Type": "application/json"}).ok()
        return answer.data if answer.body else None
    def settings(self, **changed): self.control("POST", "/settings", changed)
    def fault(self, kind, path="/agents/states", **more): self.control("POST", "/faults", [{"path": path, "kind": kind, "count": 1, **more}])
    agents = cached_property(lambda self: self.client.list_agents().records)
    active = cached_property(lambda self: [agent for agent in self.agents if get(agent, "isActive")])
    teams = cached_property(lambda self: items(self.client.read("/teams").want(200).data, "teams"))
    codes = cached_property(lambda self: items(self.client.read("/unavailable-codes").want(200).data, "unavailableCodes"))
    @cached_property
    def codes_of(self):  # by team: the ids of its active codes, [0] without and [1] with after-call work
        codes = {team: items(self.team_codes(team), "unavailableCodes") for team in ids(self.teams, "teamId")}
        return {team: [[get(c, "outstateId") for c in found if get(c, "isAcw") is acw] for acw in (False, True)] for team, found in codes.items()}
    def team_codes(self, team, active="true"): return self.client.read(f"/teams/{team}/unavailable-codes", {"activeOnly": active}).want(200).data
    def all_codes_of(self, team): return ids(items(self.team_codes(team, "false"), "unavailableCodes"), "outstateId")
    def code_name(self, code): return next(get(c, "name") for c in self.codes if get(c, "id") == code)
    def pick(self, acw=False):  # the next active agent whose team has an after-call code (acw) or two others
        fitting = [a for a in self.active if len(self.codes_of.get(get(a, "teamId"), [[], []])[acw]) > (not acw)]
        expect(fitting, "an active agent whose team has an after-call code, and one whose team has two codes", "none")
        agent = fitting[next(self.turn) % len(fitting)]
        return Agent(self, get(agent, "agentId"), self.codes_of[get(agent, "teamId")][acw])
    def settle(self, cursor=EPOCH, tries=9):  # a cursor after which nothing has changed
        feed = self.client.states(cursor)
        expect(tries, "no change while nobody acts", feed.ids)
        return self.settle(feed.cursor, tries - 1) if feed.records else cursor

class Agent:
    """One agent, Available at first, and the steps of the stories. codes: some of his team's, #0 and #1 in a story."""
    def __init__(self, w, number, codes):
        self.w, self.id, self.codes, self.path = w, number, codes, f"/agents/{number}"
        self.put(1)
    def tell(self, story):
        for step in story.split("; "):
            name, *words = step.split()
            try: getattr(self, name)(*map(self.word, words))
            except Mismatch as mismatch: raise Mismatch(f"{mismatch} (at '{step}' with codes {self.codes})") from None
    def word(self, word): return self.codes[int(word[1:])] if word[0] == "#" else int(word) if word.lstrip("-").isdigit() else word
    def view(self): return self.w.control("GET", self.path)
    def record(self): return next((record for record in self.w.client.states().records if get(record, "agentId") == self.id), None)
    def put(self, state, code=None, acw=False):
        self.w.control("POST", self.path + "/state", {"agentStateId": state, "outStateId": code, "isACW": bool(acw)})
    def settle(self): self.cursor = self.w.settle()
    def changes(self, state, code):  # the one change since the cursor, which moves
        feed = self.w.client.states(self.cursor)
        same(feed.changes("agentStateId", "outStateId"), [[self.id, state, code]], "the change alone:")
        self.cursor = feed.cursor
    def still(self, form):  # no change since the cursor, told in this form; the cursor is kept
        self.w.settings(noChange=str(form))
        answer = self.w.client.read("/agents/states", {"updatedSince": self.cursor, "top": 100}).want(form)
        expect(not answer.body or (form == 200 and not items(answer.data, "agentStates")), f"{form} with nothing", answer)
    def contact(self, state): self.w.control("POST", self.path + "/contact", {"agentStateId": state})
    def end(self): self.w.control("DELETE", self.path + "/contact")
    def fault(self, kind, ms=0): self.w.fault(kind, self.path + "/state", ms=ms)
    def reads(self, version): self.w.client.read("/agents/states", {"top": 1}, version).want(200)
    def wait(self): time.sleep(0.2)
    def asked(self, state, code=None): return {**({"state": state} if state != "nothing" else {}), **({} if code is None else {"outStateId": code})}
    def by_query(self, state, code=None, **more): return self.w.client.post(self.path + "/state", query=self.asked(state, code), **more)
    def by_json(self, state, code=None, **more): return self.w.client.post(self.path + "/state", self.asked(state, code), **more)
    def set(self, *asked): self.by_query(*asked).ok()
    def json(self, version, *asked): self.by_json(*asked, version=version).ok()
    def logout(self): self.w.client.post(self.path + "/logout").ok()
    def refused(self, statuses, *asked):  # by query and by JSON, and nothing changes
        before = self.view()
        for way in (self.by_query, self.by_json):
            expect_error(way(*asked), *map(int, str(statuses).split("|")))
            same(self.view(), before, "no change from")
    def unanswered(self, *asked):
        try: answer = self.by_query(*asked, fresh=True)
        except NoAnswer: return
        raise Mismatch(f"expected a connection that is cut before an answer; came {answer}")
    def join(self):  # the path of a new session of his
        session = get(self.w.client.post("/agent-sessions/join", {"asAgentId": self.id}).ok().data, "sessionId")
        return f"/agent-sessions/{quote(str(session), safe='')}"
    def session(self, statuses, state, code=None):
        reason = {} if code is None else {"reason": self.w.code_name(code)}
        answer = self.w.client.post(self.join() + "/state", {"state": state, **reason})
        answer.want(*(OK if statuses == "2xx" else [statuses]))
    def now(self, state): same(get(self.view(), "agentStateId"), state, "agentStateId")
    def queued(self, yes): same(get(self.view(), "queued") is not None, bool(yes), "whether a set is queued:")
    def acw(self, on): same(get(self.record(), "isACW"), bool(on), "isACW")
    def described(self, code): same(get(self.record(), "outStateDescription"), self.w.code_name(code), "outStateDescription")
    def shows(self, state, code=None, *but):  # in the simulator's own view and in the feed: this state, with this code, or 'not' another, or any
        def right(seen): return seen[0] == state and code in (None, "not", seen[1]) and seen[1] not in but
        for source in (self.view, self.record):
            shown = eventually(lambda: right(get(source(), "agentStateId", "outStateId")))
            expect(shown, f"agent {self.id} in {state}, {code} {but} in the {source.__name__}", source())
        same(get(self.record(), "agentStateName"), STATES[state], "agentStateName")

def expect_tokens(w, answer, shape):
    tokens = shaped(answer.want(200).data, shape)
    expect(get(tokens, "expires_in") > 600, "expires_in over 600", tokens)
    w.client.read("/agents/states", {"top": 1}, auth={"Authorization": f"Bearer {get(tokens, 'access_token')}"}).want(200)
    return tokens
def expect_error(answer, *statuses):
    body = answer.want(*statuses).data
    expect(any(isinstance(word, str) and word for word in get(body, "error", "error_description", "errorDescription")), "an error body", answer)
    same(get(body, "access_token"), None, "access_token")
def in_error(statuses, call, w): expect_error(call(w.client), *statuses)
ERRORS = {
    "token_wrong_secret": ([400, 401], lambda c: c.password_grant("wrong=")),
    "token_wrong_client_secret": ([400, 401], lambda c: c.password_grant(auth=c.basic("wrong"))),
    "token_without_client": ([400, 401], lambda c: c.password_grant(auth={})),
    "token_wrong_refresh_token": ([400, 401], lambda c: c.grant("refresh_token", refresh_token="wrong")),
    "token_client_credentials_is_not_offered": ([400, 401, 403], lambda c: c.grant("client_credentials")),
    "access_key_wrong_secret": ([400, 401], lambda c: c.access_key("wrong=")),
    "set_unknown_agent_is_404": ([404], lambda c: c.post("/agents/987654321/state?state=Available")),
    "logout_unknown_agent_is_404": ([404], lambda c: c.post("/agents/987654321/logout")),
    "session_unknown_is_404": ([404], lambda c: c.post("/agent-sessions/no-such-session/state", {"state": "Available"})),
    "next_event_of_unknown_session_is_404": ([404], lambda c: c.read("/agent-sessions/no-such-session/get-next-event", {"timeout": 0})),
    "user_hub_without_token_is_401": ([401], lambda c: c.call("GET", c.issuer + "/user-management/v1/users", auth={})),
    "codes_of_unknown_team_is_404": ([400, 404], lambda c: c.read("/teams/987654321/unavailable-codes")),
}
CHECKS += [(name, partial(in_error, *row)) for name, row in ERRORS.items()]

# Authentication
@check
def discovery(w): expect(place(w.client.token_endpoint)[2].endswith("/auth/token"), "a token_endpoint .../auth/token", w.client.token_endpoint)
@check
def token_password_grant(w): same(get(expect_tokens(w, w.client.password_grant(), "token"), "token_type").lower(), "bearer", "token_type")
@check
def token_refresh(w):
    first = w.client.password_grant().want(200).data
    second = expect_tokens(w, w.client.grant("refresh_token", refresh_token=get(first, "refresh_token")), "refreshed token")
    expect(get(first, "access_token") != get(second, "access_token"), "another access_token", "the same")
@check
def access_key_token(w): expect_tokens(w, w.client.access_key(), "access-key token")
@check
def id_token_claims(w):
    for answer in (w.client.password_grant(), w.client.access_key()): claims_of(answer.want(200).data)
@check
def cxone_configuration(w):
    found = shaped(w.client.configuration().want(200).data, "configuration")
    same(get(found, "tenantId", "area"), get(w.client.claims, "tenantId", "area"), "tenantId and area of the id_token")
@check
def no_token_is_401(w, agent):
    for auth in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}, w.client.basic()):
        for path in ("/agents/states", "/agents", "/teams", "/unavailable-codes"): expect_error(w.client.read(path, auth=auth), 401)
        expect_error(agent.by_query("Unavailable", auth=auth), 401)
    agent.shows(1)
@check
def expired_token_is_401(w):
    old = w.client.bearer
    w.control("POST", "/tokens/expire")
    expect_error(w.client.read("/agents/states", auth=old), 401)
    w.client.read("/agents/states").want(200)

# Receiving
@check
def states_full_snapshot(w):
    feed = w.client.states().whole()
    shaped(get(shaped(feed.first, "states"), "_links"), "links")
    expect(len(feed.records) >= 50, "at least 50 agents", len(feed.records))
    for record in feed.records:
        state, name = get(shaped(record, "state"), "agentStateId", "agentStateName")
        expect(state in range(9) and name == STATES[state], "a state and its name", record)
    same({*ids(w.active)} - feed.ids, set(), "active agents that are left out:")
@check
def states_paging_by_next_and_by_skip_agree(w):
    agents, everyone, cursor = [w.pick() for _ in range(9)], w.client.states().whole().ids, w.settle()
    for agent in agents: agent.put(2)
    w.settings(pageSizeMax=7)
    queries = {"top": 7}, {"top": 500}, {"top": 3}, {"top": 7, "orderBy": "agentId"}, {"top": 7, "fields": "agentId,agentStateId"}
    for by, query, (since, found) in itertools.product(("next", "skip"), queries, ((EPOCH, everyone), (cursor, {a.id for a in agents}))):
        feed = w.client.states(since, query, by=by).whole(min(7, query["top"]))
        same(feed.ids, found, f"by {by}, {query}, since {since}:")
        expect("fields" not in query or all(len(record) <= 3 for record in feed.records), f"the fields alone by {by}", feed.records[-1])
@check
def states_fields_are_only_those_asked(w):
    asked = "agentId,agentStateId,startDate,outStateId"
    for record in w.client.states(query={"fields": asked}).records:
        same({name.lower() for name in record} - {"lastpolltime"}, set(asked.lower().split(",")), "the names")
@check
def states_names_pascal_case(w):
    everyone = w.client.states().whole().ids
    w.settings(names="pascal")
    pascal = w.client.states()
    names = {name for thing in (pascal.first, *pascal.records) for name in thing}
    expect(all(name[0].isupper() or name[0] == "_" for name in names), "names in PascalCase", sorted(names))
    expect(all(ids(pascal.records, "lastPollTime")), "lastPollTime in each record", pascal.records[0])
    same(pascal.ids, everyone, "the same agents:")
@check
def path_case_does_not_matter(w, agent):
    for path in ("/InContactAPI/services/v34.0/agents/states", "/INCONTACTAPI/SERVICES/V34.0/AGENTS/STATES", "/inContactAPI/Services/v34.0/Teams"):
        w.client.call("GET", w.client.api + path).want(200)
    w.client.call("POST", f"{w.client.api}/InContactAPI/services/v34.0/Agents/{agent.id}/State?state=Unavailable").ok()
    agent.shows(2)
@check
def logged_out_shown_or_not(w, agent):
    agent.tell("put 0; shows 0")
    w.settings(loggedOut=False)
    expect(0 not in ids(w.client.states().records, "agentStateId") and not agent.record(), "nobody who is logged out", agent.record())

# Setting, and the states of one agent. In a name with acw, #0 is an after-call code of the team, else #0 and #1 are two others
STORIES = {
    "states_cursor_only_changes": "settle; put 2 #0; wait; changes 2 #0; described #0; still 200; put 2 #1; changes 2 #1",
    "states_no_change_in_each_form": "settle; still 204; still 304; still 200; put 2 #0; changes 2 #0",
    "last_state_wins_between_polls": "settle; put 2 #0; put 1; put 2 #1; changes 2 #1",
    "states_of_all_kinds": "; ".join(f"put {state}; shows {state}" for state in range(9)),
    "states_tell_after_call_work": "put 2 #0 1; shows 2 #0; acw 1; put 2 -1; shows 2; acw 0; put 1; acw 0",
    "set_available_by_query": "put 2; set Available; shows 1",
    "set_unavailable_with_code_by_query": "set Unavailable #0; shows 2 #0; described #0; set Unavailable #1; shows 2 #1; described #1",
    "set_unavailable_without_code": "put 2 #0; set Unavailable; shows 2 not #0",
    "set_by_json_body": "json 34 Unavailable #0; shows 2 #0; json 34 Available; shows 1",
    "versions_23_to_34": "; ".join(f"reads {v}; json {v} Unavailable #0; shows 2 #0; json {v} Available; shows 1" for v in range(23, 35)),
    "set_bad_state_is_400": "; ".join(f"refused 400 {state}" for state in ("Lunch", "InboundContact", "LoggedOut", "nothing", "nothing #0")),
    "set_logged_out_agent_is_409": "put 0; refused 409 Available; refused 409 Unavailable #0; shows 0",
    "set_unknown_code_is_400_or_409": "refused 400|409 Unavailable 987654321; refused 400|409 Unavailable nonsense",
    "set_reserved_code_is_400_or_409": "; ".join(f"refused 400|409 Unavailable {code}" for code in range(-13, 0)),
    "set_acw_code_outside_contact_is_409": "refused 409 Unavailable #0",
    "set_acw_code_in_contact_is_accepted": "contact 3; set Unavailable #0; end; shows 2 #0",
    "set_during_contact_is_queued": "; ".join(f"put 1; contact {s}; set Unavailable #0; wait; shows {s}; queued 1; end" for s in range(3, 8)),
    "queued_set_is_applied_when_contact_ends": "contact 3; set Unavailable #0; end; shows 2 #0; queued 0",
    "last_queued_set_wins": "contact 4; set Unavailable #0; set Available; set Unavailable #1; end; shows 2 #1",
    "contact_without_a_set_returns_where_he_was": "contact 3; shows 3; end; shows 1; put 2 #0; contact 5; shows 5; end; shows 2 #0",
    "session_join_and_set_by_reason_name": "session 2xx Unavailable #1; shows 2 #1; session 2xx Available; shows 1",
    "session_bad_state_is_400": "session 400 Lunch; shows 1",
    "session_acw_code_outside_contact_is_409": "session 409 Unavailable #0; shows 1",
    "logout": "logout; shows 0",
    "logged_out_cannot_be_set": "logout; shows 0; refused 409 Available",
    "shapes_of_errors": "refused 400 Lunch; put 0; refused 409 Available; refused 409 Unavailable #0",
    "fault_reset": "fault reset; unanswered Unavailable; wait; shows 1; set Unavailable; shows 2",
    "fault_lost_is_accepted_and_not_applied": "fault lost; set Unavailable; wait; shows 1; set Unavailable; shows 2",
    "fault_late_is_applied_later": "fault late 2000; set Unavailable; now 1; wait; now 1; shows 2",
    "fault_after_is_applied_without_answer": "fault after; unanswered Unavailable; shows 2",
}
def in_story(story, acw, w): w.pick(acw).tell(story)
CHECKS += [(name, partial(in_story, story, "acw" in name)) for name, story in STORIES.items()]
@check
def set_code_not_on_team_is_400_or_409(w):
    usable = {get(c, "id") for c in w.codes if get(c, "isActive") and not get(c, "isACW")}
    lacking = [(get(a, "agentId"), code) for a in w.active for code in usable - {*w.codes_of[get(a, "teamId")][0]}]
    expect(lacking, "a code that is not on the team of every agent", usable)
    for number, code in lacking[:5]: Agent(w, number, [code]).tell("refused 400|409 Unavailable #0")

@check
def code_taken_from_a_team_cannot_be_set(w, agent):
    team, code = get(agent.record(), "teamId"), agent.codes[0]
    codes = w.all_codes_of(team)
    try:
        w.control("POST", f"/teams/{team}/codes", {"codes": [c for c in codes if c != code]})
        same({*codes} - {*w.all_codes_of(team)}, {code}, "the code that is taken:")
        for status in (400, 409):
            w.settings(badCodeStatus=status)
            agent.refused(status, "Unavailable", code)
    finally: w.control("POST", f"/teams/{team}/codes", {"codes": codes})
    same({*w.all_codes_of(team)}, {*codes}, "the codes given back:")
    agent.tell("set Unavailable #0; shows 2 #0")
@check
def without_admin_call_a_session_sets(w, agent):
    w.settings(hasAdminCall=False)
    agent.tell("refused 404 Available; refused 404 Unavailable #0; session 2xx Unavailable #1; shows 2 #1")
    w.settings(hasAdminCall=True)
    agent.tell("set Available; shows 1")

# Waiting for what becomes of one agent, in a session
def next_event(w, session, timeout=0): return w.client.read(session + "/get-next-event", {"timeout": timeout})
def expect_event(answer, agent, state, code=None, acw=False):  # one event, with what the feed tells of him
    events = items(answer.want(200).data, "events", "state")
    same([get(e, "Type", "agentId", "agentStateId", "isACW") for e in events], [["AgentState", agent.id, state, acw]], "the event")
    expect(code in (None, get(events[0], "outStateId")), f"out-state {code}", events)
def while_waiting(act, w, session):  # the answer to a call that waits while this is done
    did = threading.Timer(0.4, act)
    did.start()
    try: answer = next_event(w, session, 8)
    finally: did.join()
    expect(0.3 < answer.seconds < 6, "an answer as soon as something happened, 0.4 s later", f"{answer} in {answer.seconds:.2f} s")
    return answer
@check
def next_event_tells_each_change_once(w, agent):
    session, code = agent.join(), agent.codes[0]
    expect_event(next_event(w, session), agent, 1)
    expect(not next_event(w, session).want(304).body, "no body", "one")
    agent.put(2, code)
    expect_event(next_event(w, session), agent, 2, code)
    agent.put(2, code, acw=True)
    expect_event(next_event(w, session, 60), agent, 2, code, acw=True)
    next_event(w, session).want(304)
    expect_event(next_event(w, agent.join()), agent, 2, code, acw=True)
@check
def next_event_waits(w, agent):
    session, code = agent.join(), agent.codes[1]
    expect_event(next_event(w, session, 60), agent, 1)
    answer = next_event(w, session, 1).want(304)
    expect(0.95 <= answer.seconds < 4, "a second until it is over", answer.seconds)
    expect_event(while_waiting(partial(agent.put, 2), w, session), agent, 2)
    expect_event(while_waiting(partial(agent.by_query, "Unavailable", code), w, session), agent, 2, code)
@check
def next_event_ends_with_the_log_out(w, agent):
    sessions = agent.join(), agent.join()
    for session in sessions: expect_event(next_event(w, session), agent, 1)
    expect_error(while_waiting(agent.logout, w, sessions[0]), 409)
    agent.put(1)
    for session in sessions: expect_error(next_event(w, session), 409)
    expect_event(next_event(w, agent.join()), agent, 1)
@check
def next_event_bad_timeout_is_400(w, agent):
    session = agent.join()
    for timeout in (-1, 61, 4294967297, "soon"): expect_error(next_event(w, session, timeout), 400)

# Admin reads
@check
def agents_list_and_paging(w):
    feed = w.client.list_agents().whole()
    items(shaped(feed.first, "agents"), "agents", "agent")
    w.settings(pageSizeMax=9)
    for top in (9, 500, 4): same(w.client.list_agents(top=top).whole(min(top, 9)).ids, feed.ids, f"with top {top}")
    same({*ids(w.client.list_agents(isActive="true").records, "isActive")}, {True}, "isActive")
    for agent in w.client.list_agents(fields="agentId,userName").records: same({*map(str.lower, agent)}, {"agentid", "username"}, "the fields")
@check
def hidden_agents_are_told_and_not_listed(w):
    everyone = w.client.list_agents().whole()
    for hidden in (3, 0):
        w.settings(hiddenAgents=hidden)
        seen = w.client.list_agents().whole()
        same([get(seen.first, "hiddenAgents"), len(everyone.ids - seen.ids)], [hidden] * 2, "hiddenAgents, and how many are not listed:")
        expect(seen.ids <= everyone.ids, "no others", seen.ids - everyone.ids)
@check
def agents_update_since_both_spellings(w):
    everyone = w.client.list_agents()
    middle = sorted(ids(everyone.records, "lastUpdated"))[len(everyone.records) // 2]
    for since, wanted in ((EPOCH, everyone.ids), (everyone.cursor, set()), (middle, w.client.list_agents(updateSince=middle).ids)):
        for query in ({"updateSince": since}, {"updatedSince": since}, {"updateSince": since, "updatedSince": since}):
            same(w.client.list_agents(**query).ids, wanted, f"with {query}")
@check
def teams(w):
    found = items(w.client.read("/teams").want(200).data, "teams", "team")
    expect(len(found) > 1, "several teams", found)
    same({*ids(w.agents, "teamId")} - {*ids(found, "teamId")}, set(), "teams of agents that are not listed:")
@check
def unavailable_codes(w):
    found = items(w.client.read("/unavailable-codes").want(200).data, "unavailableCodes", "code")
    kinds = {tuple(get(code, "isActive", "isACW")) for code in found}
    expect({(True, False), (True, True)} <= kinds and any(not active for active, _ in kinds), "ordinary, after-call and inactive codes", kinds)
@check
def team_codes(w):
    names = {get(c, "id"): get(c, "name") for c in w.codes}
    for team in ids(w.teams, "teamId"):
        body, every = shaped(w.team_codes(team), "team codes"), w.all_codes_of(team)
        for code in items(body, "unavailableCodes", "team code"):
            same(get(code, "isActive", "outstateName"), [True, names.get(get(code, "outstateId"))], "isActive, outstateName")
            expect(get(code, "outstateId") in every and get(body, "teamId") == team, "the team, and the code with activeOnly=false too", code)
@check
def code_teams(w):
    of_team = {team: w.all_codes_of(team) for team in ids(w.teams, "teamId")}
    for code in ids(w.codes, "id"):
        body = w.client.read(f"/unavailable-codes/{code}/teams").want(200).data
        found = {*ids(body if isinstance(body, list) else items(body, "teams"), "teamId")}
        same(found, {team for team, codes in of_team.items() if code in codes}, f"code {code} on the teams")
@check
def user_hub_users_join_agents_by_uuid(w):
    feed = w.client.drain(w.client.issuer + "/user-management/v1/users", "users")
    users = {get(shaped(user, "user"), "id").lower(): get(user, "userName") for user in feed.records}
    same(len(users), len(feed.records), "each user once:")
    for agent in w.agents: same(users.get(get(agent, "userID").lower()), get(agent, "userName"), "the user's name")

# Limits, faults and errors
@check
def rate_limit_429_with_retry_after(w):
    w.settings(rate={"perMinute": 60, "burst": 5})
    answers = [w.client.read("/agents/states", {"top": 1}).want(200, 429) for _ in range(20)]
    waits = [a.headers.get("Retry-After") for a in answers if a.status == 429]
    expect(answers[0].status == 200 and len(waits) >= 5, "200 first, and 429 after a burst of 5", [a.status for a in answers])
    expect("".join(map(str, waits)).isdigit(), "Retry-After in seconds", waits)
    time.sleep(min(max(int(waits[-1]), 1), 5))
    w.client.read("/agents/states", {"top": 1}).want(200)
READ_FAULTS = {
    "fault_503_with_retry_after": ({"kind": "status", "status": 503, "retryAfter": "2"}, lambda a: a.want(503).headers.get("Retry-After") == "2"),
    "fault_latency": ({"kind": "latency", "ms": 600}, lambda a: a.want(200).seconds >= 0.55),
    "fault_html": ({"kind": "html"}, lambda a: a.want(200).body.lstrip().startswith(b"<")),
    "fault_empty": ({"kind": "empty"}, lambda a: not a.want(200).body),
}
def in_fault(fault, shows, w):  # twice the fault, then no more; another path has none
    w.fault(**fault, count=2)
    for _ in range(2):
        answer = w.client.read("/agents/states")
        expect(shows(answer), fault, f"{answer} in {answer.seconds:.2f} s, {answer.headers.items()}")
        items(w.client.read("/teams").want(200).data, "teams")
    answer = w.client.read("/agents/states").want(200)
    expect(items(answer.data, "agentStates") and not (fault["kind"] == "latency" and shows(answer)), "no fault after its count", answer)
CHECKS += [(name, partial(in_fault, *row)) for name, row in READ_FAULTS.items()]
@check
def fault_403_of_a_missing_permission(w):
    w.fault("status", "/teams", status=403)
    expect_error(w.client.read("/teams"), 403)
    items(w.client.read("/teams").want(200).data, "teams", "team")
@check
def fault_cut(w):
    w.fault("cut")
    try: json.loads(w.client.read("/agents/states", fresh=True).want(200).body or "{}")
    except (Cut, ValueError): return
    raise Mismatch("expected half a body; came a whole one or none")
@check
def fault_repeat_and_skip_of_a_page(w):
    w.settings(pageSizeMax=10)
    everyone = w.client.states().whole().ids
    for by, kind in itertools.product(("next", "skip"), ("repeat", "skip")):
        feed = w.client.states(by=by, after_first=partial(w.fault, kind))
        expect(len(feed.ids) < len(feed.records) if kind == "repeat" else feed.ids < everyone, f"{kind} of a page by {by}", ids(feed.records))
        w.client.states(by=by).whole()
@check
def date_header_follows_offset(w):
    for offset in (0, 90, -3600):
        w.settings(dateOffsetMs=offset * 1000)
        date = w.client.read("/teams").want(200).headers.get("Date")
        expect(abs(parsedate_to_datetime(date).timestamp() - time.time() - offset) <= 2.5, f"a Date header {offset} s ahead", date)
@check
def log_has_the_calls(w, agent):
    w.control("DELETE", "/log")
    calls = w.client.read("/teams").want(200), agent.by_query("Unavailable").ok(), agent.by_query("Lunch").want(400)
    log = [shaped(entry, "log entry") for entry in w.control("GET", "/log")]
    calls = [[method, answer.status, who] for method, answer, who in zip(("GET", "POST", "POST"), calls, (None, agent.id, agent.id))]
    same([get(entry, "method", "status", "agentId") for entry in log] + ids(log, "applied")[1:], [*calls, True, False], "the calls, applied")
    expect(all(part in path for part, path in zip(("/teams", agent.path, agent.path), ids(log, "path"))), "the paths", log)

# Bad requests at random
ODD = ("-1 0 1e309 NaN null true %00 %ff%fe %zz % .. %2e%2e %2f ' {} [] ; * ~ 9223372036854775808 4294967296 -2147483649 %F0%9F%92%A5 1,2,,3 0x10"
       " 1970-13-45T99:99:99Z 2026-01-05T10:00:00 +999999-01-01T00:00:00Z Available Unavailable %0d%0aX-Y:z v0.0 v-1.0 v99999999999999.0 v34"
       ).split() + ["", "9" * 60, "a" * 2000]
ODD_JSON = [None, True, -1, 0, 1e308, 10 ** 40, -10 ** 40, 2 ** 63, 1.5, "", "Available", "\0", "\ud800", "x" * 3000, [], {}, [[]], {"a": {}}]
TYPES = ["application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded", "text/xml", "multipart/form-data", "", "*/*"]
NAMES = ("state outStateId top skip orderBy updatedSince updateSince fields isActive activeOnly tenantId asAgentId reason accessKeyId accessKeySecret"
         " grant_type username password refresh_token timeout x").split()

class Fuzz:
    def __init__(self, w):
        self.rng, self.wire, client = random.Random(w.args.seed), Wire(timeout=5), w.client
        agent, team, code = get(w.agents[0], "agentId"), get(w.teams[0], "teamId"), get(w.codes[0], "id")
        acd = ["/agents/states", "/agents", f"/agents/{agent}/state", f"/agents/{agent}/logout", "/teams", f"/teams/{team}/unavailable-codes",
               "/unavailable-codes", f"/unavailable-codes/{code}/teams", "/agent-sessions/join", "/agent-sessions/1/state",
               "/agent-sessions/1/get-next-event"]
        other = "/.well-known/openid-configuration /.well-known/cxone-configuration /authentication/v1/token/access-key /user-management/v1/users"
        self.urls = [*map(client.url, acd), client.token_endpoint, *(client.issuer + path for path in other.split())]
        self.auths = [client.bearer] * 8 + [client.basic(), {}] + [{"Authorization": auth} for auth in (
            "", "Bearer", "Bearer ", "Bearer x.y.z", "Basic !!!", "Basic Og==", "Basic //79/A==", "Digest x", "Bearer " + "a" * 4000)]
    def url(self):
        pick, parts = self.rng.choice, urlsplit(self.rng.choice(self.urls))
        steps = parts.path.split("/")[1:]
        for _ in range(pick((0, 0, 1, 1, 2))):
            at = self.rng.randrange(len(steps))
            new = pick(([], [pick(ODD)], [steps[at], pick(ODD)], [steps[at]] * 2, [steps[at].swapcase()], [steps[at][:-1]]))
            steps = steps[:at] + new + steps[at + 1:] or [""]
        query = "&".join(pick(NAMES) + pick(("=", "=", "=", "", "==")) + pick(ODD) for _ in range(pick((0, 0, 1, 2, 5))))
        return f"{parts.scheme}://{parts.netloc}/" + "/".join(steps) + ("?" + query if query else "")
    def body(self):
        pick = self.rng.choice
        good = json.dumps({pick(NAMES): pick(ODD_JSON) for _ in range(self.rng.randrange(5))})
        form = "&".join(f"{pick(NAMES)}={pick(ODD)}" for _ in range(4))
        return pick((None, b"", good, good, good, good[:len(good) // 2], json.dumps(pick(ODD_JSON)), form, "[" * 3000, '{"state":1e999}',
                     self.rng.randbytes(200), "grant_type=password&username=%ff&password"))
    def one(self):  # None, or what is wrong with the answer
        method, url, body = self.rng.choice("GET GET POST POST POST PUT PATCH DELETE HEAD OPTIONS PROPFIND".split()), self.url(), self.body()
        headers = {**self.rng.choice(self.auths), **({} if body is None else {"Content-Type": self.rng.choice(TYPES)})}
        asked = f"{method} {url[:200]} {str(headers)[:80]} {str(body)[:80]}"
        try: answer = self.wire.call(method, url, body, headers)
        except (NoAnswer, Cut, OSError) as error: return f"{type(error).__name__} {str(error)[-80:]} to {asked}"
        return f"{answer.status} after {answer.seconds:.1f} s to {asked}" if answer.status >= 500 or answer.seconds > 5 else None

def fuzz(w):
    one = Fuzz(w).one
    wrong = [*itertools.islice(filter(None, (one() for _ in range(w.args.fuzz))), 20)]
    expect(not wrong, f"an answer within 5 s and no 5xx to each (seed {w.args.seed})", f"{len(wrong)} others: {' | '.join(wrong)}")
    expect(len(w.client.states().whole().records) >= 50, "a plain snapshot afterwards", "fewer agents")

def run(w, name, function):  # the exit code of one check; its line is printed
    wrong, code = None, 1
    try:
        w.control("POST", "/faults", [])
        w.settings(**SETTINGS)
        function(w)
        code = 0
    except Mismatch as mismatch: wrong = mismatch
    except Foreign as foreign: wrong, code = f"expected loopback alone; {foreign}", 2
    except Exception as error:  # a crash fails its own check, the others go on
        wrong = f"expected no crash; came {error!r} in lines {[frame.lineno for frame in traceback.extract_tb(error.__traceback__)]}"
    print(f"FAIL {name}: {wrong}" if code else f"ok   {name}", flush=True)
    return code

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in "issuer control client-id client-secret access-key-id access-key-secret".split(): parser.add_argument("--" + name, required=True)
    for name, default in (("--seed", 1), ("--fuzz", 2000)): parser.add_argument(name, type=int, default=default)
    args = parser.parse_args()
    try: place(args.issuer), place(args.control)
    except (Foreign, Mismatch) as refused: return print(refused, file=sys.stderr) or 2
    w = World(args)
    return max([run(w, name, function) for name, function in [*CHECKS, ("fuzz", fuzz)]])

if __name__ == "__main__": sys.exit(main())
