# SPDX-License-Identifier: MIT
"""Fills a fresh CRM by RPC: a company, parties, sale opportunities, a user for the monitor.

Run in the box by seed.py: crm_fill.py < {"admin": PASSWORD, "monitor": PASSWORD}
"""

import json
import sys
import time

from crm_rpc import SERVER, call, login

PARTIES = (
    "Aster Logistics", "Birch & Sons", "Cobalt Mills", "Dune Optics", "Ember Foods",
    "Fjord Shipping", "Granite Works", "Harbour Supply", "Iris Medical", "Juniper Print",
    "Kestrel Air", "Lumen Electric",
)


def wait_for_server():
    deadline = time.monotonic() + 60
    while True:
        try:
            return call("common.server.version", url=SERVER)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main():
    secrets = json.load(sys.stdin)
    print("Tryton", wait_for_server())
    session = login("admin", secrets["admin"])
    preferences = call("model.res.user.get_preferences", True, {}, session=session)

    def model(method, *params):
        return call("model." + method, *params, preferences, session=session, timeout=60)

    currency = model("currency.currency.create", [
        {"name": "Euro", "code": "EUR", "symbol": "EUR", "digits": 2}])[0]
    party = model("party.party.create", [{"name": "Meadow CRM Services"}])[0]
    company = model("company.company.create", [{"party": party, "currency": currency}])[0]
    user = session[1]
    model("res.user.write", [user], {"companies": [["add", [company]]], "company": company})
    preferences.update(model("res.user.get_preferences", False), company=company)

    parties = model("party.party.create", [{"name": name} for name in PARTIES])
    model("sale.opportunity.create", [
        {"party": party, "company": company, "description": f"Order {n} of {PARTIES[n % 12]}",
         "start_date": {"__class__": "date", "year": 2024, "month": 1 + n % 12, "day": 1 + n % 28}}
        for n, party in enumerate(parties * 3)])

    groups = model("res.group.search", [["name", "ilike", "%opportunity%"]], 0, None, None)
    groups += model("res.group.search", [["name", "=", "Sales"]], 0, None, None)
    model("res.user.create", [{
        "name": "Monitor", "login": "monitor", "password": secrets["monitor"],
        "companies": [["add", [company]]], "company": company, "groups": [["add", groups]]}])

    rows = call("model.sale.opportunity.search_read", [], 0, 5, None, ["description"], {},
                user="monitor", password=secrets["monitor"])
    if len(rows) != 5:
        sys.exit(f"the monitor's user reads {len(rows)} opportunities, not 5")
    print("opportunities", len(parties) * 3)


main()
