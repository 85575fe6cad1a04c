"""Whatever stands in a file, each line ends as a bar or as an issue, and nothing else is raised."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_engine.data.importers.csv_prices import read_csv
from trading_engine.data.importers.parsed import UnreadableFileError

HEADER = b"date,open,high,low,close,volume,adj close\n"
GOOD = b"2024-01-02,1,3,0.5,2,7,2\n"
# Text close to what is meant finds more than noise does.
CELLS = st.one_of(
    st.sampled_from(
        ["", "null", "1", "3", "0.5", "-2", "1e5", "1e-30", "9" * 25, "0." + "1" * 20, "NaN", "$2", '"', '"1,5"', "1_0"]
    ),
    st.sampled_from(
        ["2024-01-02", "13/02/2024", "02/13/2024", "1/1/0001", "9999-12-31 23:59-12:00", "0001-01-01 00:00+14:00"]
    ),
    st.from_regex(r"[0-9./:TZ+ -]{1,25}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12),
)
LINES = st.one_of(
    st.lists(CELLS, min_size=5, max_size=8).map(",".join).map(str.encode),
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b"")),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(LINES, max_size=8),
    date_format=st.sampled_from([None, "DMY", "MDY", "%d.%m.%y"]),
    timeframe=st.sampled_from(["1d", "1m"]),
    timezone=st.sampled_from([None, "America/New_York", "Pacific/Kiritimati"]),
)
def test_every_line_is_accounted_for(tmp_path, lines, date_format, timeframe, timezone):
    path = tmp_path / "spy.csv"
    # The last line is good, so that an empty one before it is not the end of the file.
    path.write_bytes(HEADER + GOOD + b"".join(line + b"\n" for line in lines) + GOOD)

    try:
        parsed = read_csv(path, date_format=date_format, timeframe=timeframe, timezone=timezone)
    except UnreadableFileError:
        return
    bars = list(parsed.bars())

    rejected = [issue.line for issue in parsed.issues if issue.rejected]
    assert len(bars) + len(rejected) == len(lines) + 2
    assert len(set(rejected)) == len(rejected)
    assert all(issue.rule for issue in parsed.issues)
    assert parsed.lines == len(lines) + 2
