#!/usr/bin/env python3
"""simple-salesforce, a client of Salesforce that others wrote, against a simulator: checks that it finds what it expects of an org.

    python salesforce_client.py CERTIFICATE JSON

CERTIFICATE is whom to trust, in PEM: this client speaks TLS only. JSON is what `lockstep simulate salesforce --idle --json` prints.
Each check prints `ok NAME` or `FAIL NAME: why`. Exit 0: all hold; 1: some do not; 2: a host that is not loopback was named.
"""
import datetime, json, sys, traceback
from urllib.parse import urlsplit

import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (SalesforceExpiredSession, SalesforceGeneralError, SalesforceMalformedRequest,
                                          SalesforceRefusedRequest, SalesforceResourceNotFound)

CERTIFICATE, TOLD = sys.argv[1], json.loads(sys.argv[2])
SETTINGS = {"pageSize": 2000, "dailyRequests": None, "sessionSeconds": 7200, "hasClientCredentials": True, "gapMs": 0}
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def session():
    """No proxy, no netrc: loopback alone."""
    bare = requests.Session()
    bare.trust_env, bare.verify = False, CERTIFICATE
    return bare


def control(method, path, body=None):
    answer = session().request(method, TOLD["control"] + path, json=body)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def token(**others):
    form = {"grant_type": "client_credentials", "client_id": TOLD["client_id"], "client_secret": TOLD["client_secret"]}
    return session().post(TOLD["login_url"] + "/services/oauth2/token", data={**form, **others})


def client(version="62.0"):
    told = token().json()
    return Salesforce(session_id=told["access_token"], instance_url=told["instance_url"], session=session(), version=version)


def refused(error, code, act):
    """What it is refused with."""
    try:
        came = act()
    except error as refusal:
        assert refusal.content[0]["errorCode"] == code, refusal.content
        return refusal.content[0]
    raise AssertionError(f"nothing was refused; expected {code}, came {came}")


@check
def query():
    found = client().query("SELECT Id, Username, IsActive FROM User WHERE Username = '%s'" % TOLD["username"].upper())
    assert (found["totalSize"], found["done"]) == (1, True), found
    record = found["records"][0]
    assert record["Username"] == TOLD["username"] and record["IsActive"] is True, record
    assert record["attributes"]["url"].endswith("/sobjects/User/" + record["Id"]), record


@check
def any_version():
    for version in ("59.0", "62.0", "67.0"):
        found = client(version).query("SELECT Id FROM ServiceChannel")
        assert f"/v{version}/" in found["records"][0]["attributes"]["url"], found


@check
def query_all_with_pages():
    control("POST", "/settings", {"pageSize": 6})
    salesforce = client()
    first = salesforce.query("SELECT Id FROM User")
    assert len(first["records"]) == 6 and first["totalSize"] == TOLD["users"] + 1, first
    more = salesforce.query_more(first["nextRecordsUrl"].rsplit("/", 1)[1])
    assert len(more["records"]) == 6, more
    whole = salesforce.query_all("SELECT Id FROM User")
    assert len({record["Id"] for record in whole["records"]}) == TOLD["users"] + 1, whole["totalSize"]


@check
def count():
    found = client().query("SELECT COUNT() FROM User")
    assert (found["totalSize"], found["records"]) == (TOLD["users"] + 1, []), found


@check
def labels_are_unicode():
    found = client().query("SELECT MasterLabel FROM ServicePresenceStatus WHERE DeveloperName LIKE 'Available_for%' ORDER BY MasterLabel")
    assert [record["MasterLabel"] for record in found["records"]] == ["Für Chats verfügbar", "Für Fälle verfügbar"], found


@check
def which_statuses_take_work():
    rows = client().query_all("SELECT ServicePresenceStatus.DeveloperName, ServiceChannel.DeveloperName FROM ServiceChannelStatus")["records"]
    takes = {row["ServicePresenceStatus"]["DeveloperName"] for row in rows}
    assert {"Available", "Available_for_Chats"} <= takes and not takes & {"On_Break", "Lunch"}, takes


@check
def presence_comes_and_goes():
    salesforce, person = client(), control("GET", "/users")[0]["id"]
    asked = f"SELECT Id, ServicePresenceStatus.DeveloperName FROM UserServicePresence WHERE IsCurrentState = true AND UserId = '{person[:15]}'"
    for status in ("Available", "Lunch", None):
        control("POST", f"/users/{person}/status", {"status": status, "reason": "OmniManualStatusChange"})
        found = [row["ServicePresenceStatus"]["DeveloperName"] for row in salesforce.query(asked)["records"]]
        assert found == ([status] if status else []), (status, found)


@check
def a_gap_between_two_rows():
    salesforce, person = client(), control("GET", "/users")[1]["id"]
    asked = f"SELECT COUNT() FROM UserServicePresence WHERE IsCurrentState = true AND UserId = '{person}'"
    control("POST", f"/users/{person}/status", {"status": "Available"})
    control("POST", "/settings", {"gapMs": 3_600_000})
    control("POST", f"/users/{person}/status", {"status": "Lunch"})
    assert salesforce.query(asked)["totalSize"] == 0
    assert control("GET", f"/users/{person}")["developerName"] == "Lunch"


@check
def get_updated_and_get_deleted():
    salesforce, person = client(), control("GET", "/users")[2]["id"]
    control("POST", f"/users/{person}/status", {"status": "Training"})
    row = control("GET", f"/users/{person}")["row"]
    now = datetime.datetime.now(datetime.timezone.utc)
    within = now - datetime.timedelta(minutes=5), now + datetime.timedelta(minutes=5)
    assert row in salesforce.UserServicePresence.updated(*within)["ids"]
    assert salesforce.UserServicePresence.get(row)["Id"] == row
    assert salesforce.UserServicePresence.delete(row) == 204
    assert row in [gone["id"] for gone in salesforce.UserServicePresence.deleted(*within)["deletedRecords"]]
    refused(SalesforceResourceNotFound, "NOT_FOUND", lambda: salesforce.UserServicePresence.get(row))


@check
def no_call_writes_presence():
    presence, code = client().UserServicePresence, "INVALID_TYPE_FOR_OPERATION"
    refused(SalesforceMalformedRequest, code, lambda: presence.create({"UserId": "005000000000000"}))
    refused(SalesforceMalformedRequest, code, lambda: presence.update("0Ps000000000000", {"IsAway": True}))


@check
def limits():
    salesforce = client()
    daily = salesforce.limits()["DailyApiRequests"]
    usage = salesforce.api_usage["api-usage"]
    assert daily == {"Max": usage.total, "Remaining": usage.total - usage.used}, (daily, usage)


@check
def a_day_that_is_used_up():
    salesforce = client()
    control("POST", "/settings", {"dailyRequests": 0})
    told = refused(SalesforceRefusedRequest, "REQUEST_LIMIT_EXCEEDED", lambda: salesforce.query("SELECT Id FROM User"))
    assert told["message"] == "TotalRequests Limit exceeded.", told


@check
def an_expired_session():
    salesforce = client()
    control("POST", "/sessions/expire")
    told = refused(SalesforceExpiredSession, "INVALID_SESSION_ID", lambda: salesforce.query("SELECT Id FROM User"))
    assert told["message"] == "Session expired or invalid", told


@check
def errors_of_queries():
    salesforce = client()
    for asked, code in (("SELECT", "MALFORMED_QUERY"), ("SELECT Nothing FROM User", "INVALID_FIELD"), ("SELECT Id FROM Nothing", "INVALID_TYPE")):
        refused(SalesforceMalformedRequest, code, lambda: salesforce.query(asked))


@check
def a_busy_org():
    salesforce = client()
    control("POST", "/faults", [{"path": "/query", "kind": "status", "status": 503, "count": 1}])
    refused(SalesforceGeneralError, "SERVER_UNAVAILABLE", lambda: salesforce.query("SELECT Id FROM User"))
    salesforce.query("SELECT Id FROM User")


@check
def calls_in_one():
    salesforce = client()
    calls = [{"method": "GET", "url": "/services/data/v62.0/query?q=SELECT+Id+FROM+User+LIMIT+1", "referenceId": f"r{n}"} for n in range(25)]
    before = salesforce.limits()["DailyApiRequests"]["Remaining"]
    found = salesforce.restful("composite", method="POST", json={"allOrNone": False, "compositeRequest": calls})["compositeResponse"]
    assert [answer["httpStatusCode"] for answer in found] == [200] * 25, found
    assert salesforce.limits()["DailyApiRequests"]["Remaining"] == before - 2


@check
def refusals_of_the_token_endpoint():
    for others, error in (({"grant_type": "x"}, "unsupported_grant_type"), ({"client_id": "x"}, "invalid_client_id"),
                          ({"client_secret": "x"}, "invalid_client"), ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant")):
        answer = token(**others)
        assert (answer.status_code, answer.json()["error"]) == (400, error), (others, answer.text)
    control("POST", "/settings", {"hasClientCredentials": False})
    assert token().status_code == 400


def run(function):
    try:
        control("POST", "/faults", [])
        control("POST", "/settings", SETTINGS)
        function()
    except Exception:  # a crash fails its own check, the others go on
        print(f"FAIL {function.__name__}: {traceback.format_exc()}", flush=True)
        return 1
    print(f"ok {function.__name__}", flush=True)
    return 0


def main():
    for url in (TOLD["login_url"], TOLD["control"]):
        if urlsplit(url).hostname not in ("127.0.0.1", "::1", "localhost"):
            print(f"{url} is not loopback", file=sys.stderr)
            return 2
    return max([run(function) for function in CHECKS])


if __name__ == "__main__":
    sys.exit(main())
