"""Time, by the clock of the run."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.scripting.context import Context
from shared.scripting.values import ScriptError

LONGEST_FORMAT = 200


def get_current_time(context: Context, format: str = "%Y-%m-%d %H:%M", timezone: str | None = None) -> str:
    """Return the time, in UTC or in the named zone."""
    return _written(_now(context, timezone), format)


def get_relative_time(context: Context, minutes_offset: float = 0, format: str = "%H:%M") -> str:
    """Return the time so many minutes from now, or ago where negative."""
    return _written(_now(context) + timedelta(minutes=minutes_offset), format)


def get_day_of_week(context: Context, full_name: bool = True) -> str:
    """Return today's name, as Monday or as Mon."""
    return _written(_now(context), "%A" if full_name else "%a")


def is_business_hours(context: Context, start_hour: int = 9, end_hour: int = 17) -> bool:
    """Say whether the hour lies between the two, the second not included."""
    return start_hour <= _now(context).hour < end_hour


def format_timestamp(context: Context, timestamp: float, format: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write seconds since 1970 as a time in UTC."""
    return _written(datetime.fromtimestamp(timestamp, UTC), format)


def _now(context: Context, timezone: str | None = None) -> datetime:
    return context.surroundings.now().astimezone(_zone(timezone) if timezone else UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError, TypeError, AttributeError):  # unknown, a folder of the database, no name
        raise ScriptError(f"there is no time zone {str(name)[:100]!r}: name one as Europe/Berlin or UTC") from None


def _written(time: datetime, format: str) -> str:
    return time.strftime(format[:LONGEST_FORMAT])
