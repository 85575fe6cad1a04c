"""The closed lists of the trading floor. Stored case follows the source systems; input is taken in any case."""

from django.db.models import TextChoices

__all__ = [
    "BacktestStatus",
    "ExitReason",
    "Impact",
    "InstrumentType",
    "Liquidity",
    "OrderStatus",
    "OrderType",
    "Outcome",
    "RegimeType",
    "SignalKind",
    "SignalType",
    "TimeInForce",
    "TradeAction",
    "TradeStatus",
]


class InstrumentType(TextChoices):
    EQUITY = "EQUITY", "equity"
    LEVERAGED = "LEVERAGED", "leveraged"
    PREDICTION = "PREDICTION", "prediction market"


class TradeAction(TextChoices):
    BUY = "buy", "buy"
    SELL = "sell", "sell"
    SHORT = "short", "sell short"
    COVER = "cover", "buy to cover"
    BUY_YES = "buy_yes", "buy yes"
    BUY_NO = "buy_no", "buy no"
    SELL_YES = "sell_yes", "sell yes"
    SELL_NO = "sell_no", "sell no"


class TradeStatus(TextChoices):
    FILLED = "filled", "filled"
    SETTLED = "settled", "settled"
    BUSTED = "busted", "busted"


class OrderStatus(TextChoices):
    PENDING = "pending", "pending"
    SUBMITTED = "submitted", "submitted"
    PARTIALLY_FILLED = "partially_filled", "partially filled"
    FILLED = "filled", "filled"
    CANCELLED = "cancelled", "cancelled"
    REJECTED = "rejected", "rejected"
    EXPIRED = "expired", "expired"


class OrderType(TextChoices):
    MARKET = "MARKET", "market"
    LIMIT = "LIMIT", "limit"
    STOP = "STOP", "stop"
    STOP_LIMIT = "STOP_LIMIT", "stop limit"
    TRAILING_STOP = "TRAILING_STOP", "trailing stop"


class TimeInForce(TextChoices):
    DAY = "DAY", "day"
    GTC = "GTC", "good till cancelled"
    IOC = "IOC", "immediate or cancel"
    FOK = "FOK", "fill or kill"
    GTD = "GTD", "good till date"


class Liquidity(TextChoices):
    MAKER = "maker", "maker"
    TAKER = "taker", "taker"


class ExitReason(TextChoices):
    TARGET = "TARGET", "target"
    STOP = "STOP", "stop"
    SIGNAL = "SIGNAL", "signal"
    TIMEOUT = "TIMEOUT", "timeout"
    RESOLUTION = "RESOLUTION", "resolution"
    LIQUIDATION = "LIQUIDATION", "liquidation"
    MANUAL = "MANUAL", "manual"
    OTHER = "OTHER", "other"


class Impact(TextChoices):
    """How much an event of the economic calendar is thought to move markets."""

    LOW = "low", "low"
    MEDIUM = "medium", "medium"
    HIGH = "high", "high"


class SignalKind(TextChoices):
    EQUITY = "EQUITY", "equity"
    PAIR = "PAIR", "pair"
    PREDICTION = "PREDICTION", "prediction market"


class SignalType(TextChoices):
    ENTRY_LONG = "ENTRY_LONG", "entry long"
    ENTRY_SHORT = "ENTRY_SHORT", "entry short"
    EXIT_LONG = "EXIT_LONG", "exit long"
    EXIT_SHORT = "EXIT_SHORT", "exit short"
    STOP_LONG = "STOP_LONG", "stop long"
    STOP_SHORT = "STOP_SHORT", "stop short"
    BUY = "BUY", "buy"
    SELL = "SELL", "sell"
    HOLD = "HOLD", "hold"
    BUY_YES = "BUY_YES", "buy yes"
    BUY_NO = "BUY_NO", "buy no"


class RegimeType(TextChoices):
    CRISIS = "CRISIS", "crisis"
    STABLE = "STABLE", "stable"
    BULL = "BULL", "bull"
    BEAR = "BEAR", "bear"
    SIDEWAYS = "SIDEWAYS", "sideways"
    HIGH_VOLATILITY = "HIGH_VOLATILITY", "high volatility"
    UNKNOWN = "UNKNOWN", "unknown"


class BacktestStatus(TextChoices):
    PENDING = "PENDING", "pending"
    RUNNING = "RUNNING", "running"
    COMPLETED = "COMPLETED", "completed"
    FAILED = "FAILED", "failed"


class Outcome(TextChoices):
    YES = "YES", "yes"
    NO = "NO", "no"
    INVALID = "INVALID", "invalid"
