"""`weaver data download`: bars from a broker, only what is missing."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.account_call import accounts_of, parse_account
from app.call import Call
from app.console import print_json, progress, show, table
from app.options import AccountText, AsJson, TimeframeText
from app.words import key_document, moment, one_of, parse_timeframe
from core.errors import Cancelled, InputError

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.download import Downloaded, DownloadPlan

GAPS_SHOWN: Final = 10


def download(
    context: typer.Context,
    symbol: Annotated[list[str] | None, typer.Option(help="Symbol to fetch; repeat it for several.", metavar="S")] = None,
    timeframe: TimeframeText = None,
    start: Annotated[str | None, typer.Option(help="From when on, like 2024-01-31 or with a time.", metavar="D")] = None,
    end: Annotated[str | None, typer.Option(help="Up to when, not included; now when it is not said.", metavar="D")] = None,
    adjustment: Annotated[str, typer.Option(help="What is taken out of the prices: raw, split or all.", metavar="A")] = "raw",
    feed: Annotated[str | None, typer.Option(help="Feed of equities: iex (one exchange) or sip (all).", metavar="NAME")] = None,
    account: AccountText = "paper",
    again: Annotated[bool, typer.Option("--again", help="Fetch what was fetched before too, and show what has changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch bars from a broker. Only what is missing is fetched; stopped, the same call goes on where it was."""
    from core.model.download import DownloadPlan, usual_end
    from core.model.instants import parse_instant
    from core.model.market import Adjustment, parse_symbol

    call: Call = context.obj
    if not symbol:
        raise InputError("data download does not know what to fetch.", "Name it with --symbol, like --symbol SPY.")
    if timeframe is None:
        raise InputError("data download does not know how long the bars are.", "Say it with --timeframe, like --timeframe 1m.")
    if start is None:
        raise InputError("data download does not know where to begin.", "Say it with --start, like --start 2024-01-31.")
    name = parse_account(account)
    settled_feed = None if feed is None else feed.strip().lower()
    symbols = tuple(parse_symbol(text) for text in symbol)
    settled_timeframe = parse_timeframe(timeframe)
    settled_adjustment = Adjustment(one_of("adjustment", adjustment, Adjustment))
    start_ns = parse_instant(start, field="--start")
    end_ns = None if end is None else parse_instant(end, field="--end")

    async def work(engine: "Engine") -> list["Downloaded"]:
        plan = DownloadPlan(
            symbols=symbols,
            timeframe=settled_timeframe,
            start_ns=start_ns,
            end_ns=usual_end(engine.now_ns(), settled_feed) if end_ns is None else end_ns,
            adjustment=settled_adjustment,
            feed=settled_feed,
            again=again,
        )
        try:
            return await _fetched(engine, plan)
        except asyncio.CancelledError as error:
            raise Cancelled("The download was stopped.", "What was stored stays; the same call goes on from there.") from error

    async def _fetched(engine: "Engine", plan: "DownloadPlan") -> list["Downloaded"]:
        with progress(call.shows_progress) as on_progress:
            async with accounts_of(call).open(name) as broker:
                return await engine.download_bars(plan, broker.history, on_progress)

    done = call.run(work)
    if as_json:
        print_json({"account": str(name), "downloads": [_document(item) for item in done]})
    else:
        for item in done:
            _show(item)


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def _document(item: "Downloaded") -> dict[str, Any]:
    return {
        **key_document(item.key),
        "start": moment(item.start_ns),
        "end": moment(item.end_ns),
        "fetched": item.fetched,
        "refused": item.refused,
        "added": item.merge.added,
        "identical": item.merge.identical,
        "changed": item.merge.changed,
        "changed_examples": [moment(start_ns) for start_ns in item.merge.changed_examples],
        "readjusted": item.readjusted,
        "stored": item.stored,
        "missing": sum(gap.missing for gap in item.gaps),
        "gaps": [{"start": moment(gap.start_ns), "end": moment(gap.end_ns), "missing": gap.missing} for gap in item.gaps],
    }


def _show(item: "Downloaded") -> None:
    from rich.text import Text

    key, merge = item.key, item.merge
    name = f"{key.symbol} {key.timeframe} from {key.source}, {key.adjustment}"
    if not item.stored and not item.fetched:
        show(Text(f"{name}: the broker has no bars there. Check the symbol and the period."))
        return
    counts = [f"{merge.added:,} new", f"{merge.identical:,} as before", f"{merge.changed:,} changed"]
    counts += [f"{item.refused:,} left out because they contradict themselves"] if item.refused else []
    fetched = f"{item.fetched:,} bars fetched: {', '.join(counts)}" if item.fetched else "nothing was missing"
    show(Text(f"{name}: {fetched}. {item.stored:,} are stored from {moment(item.start_ns)} to {moment(item.end_ns)}."))
    if item.readjusted:
        show(Text("A split or a dividend has changed the adjusted prices since they were stored: all of them were fetched anew."))
    elif merge.changed:
        examples = ", ".join(moment(start_ns) or "" for start_ns in merge.changed_examples[:5])
        show(Text(f"The broker has corrected bars since: {examples}{' …' if merge.changed > 5 else ''}"))
    if item.gaps:
        missing = sum(gap.missing for gap in item.gaps)
        holes = f"{_counted(len(item.gaps), 'hole')}, {_counted(missing, 'bar')} missing"
        show(Text(f"{holes}. An interval without a trade has no bar. The longest:"))
        rows = [(moment(gap.start_ns) or "", moment(gap.end_ns) or "", f"{gap.missing:,}") for gap in item.gaps[:GAPS_SHOWN]]
        show(table(("from", "to", "missing"), rows, right=("missing",)))
