"""The figures, their verdicts, and the page that keeps them."""

import datetime
import os
import statistics
import sys

BEGIN, END = "<!-- bench/run.sh writes from here -->\n", "<!-- to here -->\n"


class Report:
    """Collects rows, by label and round, and judges them by targets."""

    def __init__(self, targets, quiet, command):
        self.targets, self.quiet, self.command = targets, quiet, command
        self.rows, self.failures = {}, {}

    def add(self, label, n, row):
        self.rows.setdefault(label, {})[n] = row

    def fail(self, label, why):
        print(f"{label}: {why}", file=sys.stderr)
        self.failures[label] = why

    def failed(self, label):
        return label in self.failures

    def _pairs(self, case, target):
        """The rows of case in each round with those they are compared with."""
        base = self.rows.get(target.base, {})
        return [(row, base.get(n)) for n, row in self.rows.get(case, {}).items() if n in base or not target.base]

    def _noisy(self, *rows):
        return any(row and row.get("other_cores", 0) > self.quiet for row in rows)

    def judge(self, target):
        """The median over the rounds, the verdict, and whether it counts."""
        if any(label in self.failures for label in (target.case, target.base)):
            return None, "not measured", False
        figure, calm = self._figure(target.case, target)
        if figure is None:
            return None, "not measured", False
        verdict = target.verdict(figure)
        if verdict == "MISSED" and target.floor:
            best, _ = self._figure(target.floor, target)
            if best is not None and target.verdict(best) == "MISSED":
                verdict = f"out of reach: {target.floor} has {best:.2f} {target.unit}"
        return figure, verdict, calm

    def _figure(self, case, target):
        """The median over the rounds for case, None without any, and whether it counts."""
        pairs = self._pairs(case, target)
        calm = [pair for pair in pairs if not self._noisy(*pair)]
        figures = [target.figure(*pair) for pair in calm or pairs]
        return (statistics.median(figures) if figures else None), bool(calm)

    def missed(self):
        return any(self.judge(target)[1] in ("MISSED", "not measured") for target in self.targets)

    def text(self):
        return "\n".join([self._head(), *self._verdicts(), "", *self._calls(), "", *self._others(),
                          *(f"- {label}: {why}" for label, why in self.failures.items())])

    def _head(self):
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown CPU")
        return (f"Measured on {datetime.date.today()} by `{self.command}`, {os.cpu_count()} cores, {model}. "
                "Figures are medians over the rounds, of the ratio within a round where two are compared.\n")

    def _verdicts(self):
        yield "| # | what | figure | at least | aim | verdict |"
        yield "|---|---|---|---|---|---|"
        for target in self.targets:
            figure, verdict, calm = self.judge(target)
            shown = "" if figure is None else f"{figure:.2f} {target.unit}"
            noise = "" if calm or figure is None else " (others were busy)"
            yield (f"| {target.number} | {target.what} | {shown} | {target.bound(target.least)} "
                   f"| {target.bound(target.aim)} | {verdict}{noise} |")

    def _calls(self):
        yield "| rows | callers | calls/s | p50 µs | p99 µs | MB/s | CPU µs per call | RSS MiB | peak MiB | other cores |"
        yield "|---|---|---|---|---|---|---|---|---|---|"
        for label, rounds in self.rows.items():
            if "rate" not in next(iter(rounds.values())):
                continue

            def median(key, rounds=rounds):
                return statistics.median(row[key] for row in rounds.values())

            yield (f"| {label} | {median('c'):.0f} | {median('rate'):,.0f} | {median('p50_us'):,.0f} | {median('p99_us'):,.0f} "
                   f"| {median('mb_s'):,.1f} | {median('mid_cpu_s_per_1k') * 1000:,.0f} | {median('mid_rss_mib'):.0f} "
                   f"| {median('mid_hwm_mib'):.0f} | {median('other_cores'):.2f} |")

    def _others(self):
        for label, rounds in self.rows.items():
            for row in rounds.values():
                if "rate" not in row:
                    yield f"- {label}: " + ", ".join(f"{key} {value:g}" for key, value in row.items()
                                                     if key not in ("label", "c", "errors"))

    def keep(self, path):
        """Writes the figures into the page, if all of them count."""
        bad = [target.what for target in self.targets if not self.judge(target)[2]]
        if bad:
            print(f"not kept in docs/performance.md, since these do not count: {'; '.join(bad)}", file=sys.stderr)
            return
        with open(path, encoding="utf-8") as file:
            head, rest = file.read().split(BEGIN)
        with open(path, "w", encoding="utf-8") as file:
            file.write(head + BEGIN + self.text() + "\n" + END + rest.split(END)[1])
