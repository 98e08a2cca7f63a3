"""Rules and dashboard against the real binaries under load, through a real Prometheus.

What a panel or a rule asks for must be there: every selector finds series, every panel shows numbers, every label that a
legend or a grouping names is one that the series carry. And `promtool test rules` holds.
"""
import json
import re
import shutil
import signal
import subprocess
import threading
import unittest
import urllib.parse

import harness
from harness import REPO, StackTest, http_request, wait_for

RULES = sorted((REPO / "deploy/prometheus").glob("*_rules.yml"))
DASHBOARDS = sorted((REPO / "deploy/grafana/dashboards").glob("*.json"))
VARIABLES = {"$__rate_interval": "30s", "$__range": "1m", "$provider": ".*", "$instance": ".*"}
KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
TOKEN = re.compile(r"""(?P<name>[a-zA-Z_:][\w:]*)\s*(?:(?P<call>\()|(?P<selector>\{(?:"[^"]*"|[^}"])*\}))?
                     | \[[^\]]*\] | "[^"]*" | \d[\w.]*""", re.X)


def selectors_of(expression):
    """The series selectors of a PromQL expression, as written, and the labels it groups by."""
    labels = {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}
    tokens = TOKEN.finditer(GROUPING.sub("", expression))
    return [token["name"] + (token["selector"] or "") for token in tokens
            if token["name"] and not token["call"] and token["name"].lower() not in KEYWORDS], labels


def panels_of(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def fill_in(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


class DashboardFileTest(unittest.TestCase):
    def test_selectors_are_found(self):
        self.assertEqual(selectors_of('sum by (a, b) (rate(x_total{c="}", d!~"e|f"}[5m])) / on (g) y:z > 1e3 or vector(0)'),
                         (['x_total{c="}", d!~"e|f"}', "y:z"], {"a", "b", "g"}))

    def test_dashboards_are_well_formed(self):
        self.assertTrue(DASHBOARDS)
        for path in DASHBOARDS:
            dashboard = json.loads(path.read_text())
            panels = list(panels_of(dashboard))
            ids = [panel["id"] for panel in panels]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertIsNone(dashboard["id"], "an id belongs to one Grafana only")
            variables = {variable["name"] for variable in dashboard["templating"]["list"]}
            used = set(re.findall(r"\$\{?(\w+)", path.read_text())) - {"__rate_interval", "__range", "__all"}
            self.assertEqual(used, variables)
            taken = set()
            for panel in panels:
                self.assertTrue(panel["title"])
                grid = panel["gridPos"]
                self.assertLessEqual(grid["x"] + grid["w"], 24, panel["title"])
                cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
                self.assertFalse(cells & taken, f"{panel['title']} lies over another panel")
                taken |= cells
                for target in panel.get("targets", []):
                    self.assertEqual(target["datasource"]["uid"], "${datasource}", panel["title"])
                if panel["type"] in ("timeseries", "stat", "bargauge"):
                    self.assertIn("unit", panel["fieldConfig"]["defaults"], panel["title"])


class RuleFilesTest(unittest.TestCase):
    def promtool(self, *args):
        result = subprocess.run(["promtool", *map(str, args)], capture_output=True, text=True, timeout=5 * harness.PATIENCE)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_configuration_and_rules_are_valid(self):
        self.promtool("check", "config", REPO / "deploy/prometheus/prometheus.yml")
        self.promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)

    def test_unit_tests_of_the_rules(self):
        self.promtool("test", "rules", REPO / "deploy/prometheus/rules_test.yml")

    def test_every_alert_has_a_unit_test_in_which_it_fires(self):
        alerts = {name for path in RULES for name in re.findall(r"- alert: (\w+)", path.read_text())}
        fired = set(re.findall(r"alertname: (\w+)\n\s+exp_alerts:\s*(?:\[\{|\[&|\n)", (REPO / "deploy/prometheus/rules_test.yml").read_text()))
        self.assertEqual(alerts - fired, set())


class ObservabilityTest(StackTest):
    def setUp(self):
        super().setUp()
        fake = self.fake({"canary-key-good": {"kind": "ok"}, "canary-key-dead": {"kind": "status", "status": 401},
                          "canary-key-limited": {"kind": "status", "status": 429, "headers": {"Retry-After": "20"}},
                          "canary-key-down": {"kind": "status", "status": 500}})
        keys = [{"name": name, "key": f"canary-key-{name}"} for name in ("good", "dead", "limited")]
        certs = self.certificates()
        self.configure([self.provider(fake, keys),
                        self.provider(fake, [{"name": "only", "key": "canary-key-down"}], name="down", models=["down-model"])],
                       Broker={"tls": {"cert": "certs/broker/broker.crt", "key": "certs/broker/broker.key", "client_ca": "certs/ca.crt"}})
        self.start_broker()
        self.start_proxy(*harness.tls_client(certs))
        self.start_prometheus()
        self.stop = threading.Event()
        load = threading.Thread(target=self.drive)
        load.start()
        self.addCleanup(load.join)
        self.addCleanup(self.stop.set)

    def start_prometheus(self):
        folder = self.folder / "prometheus"
        folder.mkdir()
        for path in RULES:
            shutil.copy(path, folder)
        jobs = {"ccr-broker": self.broker.fields["metrics"], "ccr-proxy": self.proxy.fields["metrics"]}
        (folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "2s", "evaluation_interval": "1s"},
            "rule_files": [path.name for path in RULES],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in jobs.items()]}))
        self.prometheus = self.track(harness.Process(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             "--web.listen-address=127.0.0.1:0"], folder / "prometheus.log"))
        listening = wait_for(lambda: re.search(r'"Listening on" address=(\S+)', self.prometheus.text()), "Prometheus")
        self.prometheus_address = listening[1]
        wait_for(lambda: http_request(self.prometheus_address, "GET", "/-/ready").status == 200, "a ready Prometheus")

    def drive(self):
        while not self.stop.wait(0.05):
            self.broker.popen.send_signal(signal.SIGHUP)  # reads its configuration again
            self.chat()
            self.chat(stream=True)
            self.chat(model="down,down-model")
            self.post("/v1/messages", {"model": "fake,fake-model", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})

    def ask(self, path, **parameters):
        answer = http_request(self.prometheus_address, "GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}")
        self.assertEqual(answer.status, 200, f"{parameters}: {answer.body.decode()}")
        return answer.json()["data"]

    def problem_with(self, expression, legend=""):
        """Why a panel or rule asks for what nobody exports; empty when all is there."""
        selectors, labels = selectors_of(expression)
        carried = set()
        for selector in selectors:
            series = self.ask("series", **{"match[]": selector})
            if not series:
                return f"no series for {selector}"
            carried |= {label for one in series for label in one}
        labels |= set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend))
        return f"no label {', '.join(sorted(labels - carried))}" if labels - carried else ""

    def problem_of_rule(self, name):
        found = [rule for group in self.ask("rules")["groups"] for rule in group["rules"] if rule["name"] == name]
        return [rule.get("lastError", rule["health"]) for rule in found if rule["health"] != "ok"]

    def firing(self):
        return {(alert["labels"]["alertname"], alert["labels"].get("key")) for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}

    def shows(self, expression):
        result = self.ask("query", query=expression)["result"]
        return any(sample["value"][1] != "NaN" for sample in result)

    def await_none(self, what, queries, problem):
        """Asks until no query has a problem."""
        left = list(queries)

        def done():
            left[:] = [query for query in left if problem(query)]
            return not left

        try:
            wait_for(done, what)
        except AssertionError:
            self.fail(f"{what}:\n" + "\n".join(f"{query[0]}: {problem(query)}" for query in left))

    def test_panels_and_rules_name_what_is_exported(self):
        queries = []
        for dashboard in (json.loads(path.read_text()) for path in DASHBOARDS):
            queries += [(panel["title"], fill_in(target["expr"]), target["legendFormat"])
                        for panel in panels_of(dashboard) for target in panel.get("targets", [])]
            notes = [note for note in dashboard["annotations"]["list"] if "expr" in note]
            queries += [(note["name"], note["expr"], note["titleFormat"]) for note in notes]
            for variable in dashboard["templating"]["list"]:
                asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable.get("definition", ""))
                queries += [(variable["name"], f"sum by ({asked[2]}) ({asked[1]})", "")] if asked else []
        rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        queries_of_rules = [(rule["name"], rule["query"], "") for rule in rules]
        self.assertGreater(len(queries), 40)
        self.assertGreater(len(rules), 20)

        self.await_none("asked for, but exported by no binary", queries + queries_of_rules, lambda query: self.problem_with(*query[1:]))
        recorded = [(rule["name"], rule["query"], "") for rule in rules if rule["type"] == "recording"]
        self.await_none("without a number", queries + recorded, lambda query: "" if self.shows(query[1]) else query[1])
        self.await_none("not evaluated", queries_of_rules, lambda query: self.problem_of_rule(query[0]))
        wait_for(lambda: ("CcrKeyDisabled", "dead") in self.firing(), "the alert of the dead key")
        # The checks can fail.
        self.assertIn("no series", self.problem_with("rate(ccr_no_such_total[1m])"))
        self.assertIn("no series", self.problem_with('ccr_pool_keys{state="asleep"}'))
        self.assertEqual(self.problem_with("sum by (colour) (ccr_pool_keys)"), "no label colour")
        self.assertEqual(self.problem_with("ccr_pool_keys", "{{shade}}"), "no label shade")


if __name__ == "__main__":
    unittest.main()
