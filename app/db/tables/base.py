"""The declarative base of all tables, and the clock of the database as SQL."""

from typing import Any, cast

from sqlalchemy import JSON, BigInteger, Float, Index, MetaData, Table, Text, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.db.uptime import BOOT_ID, CLOCK_FUNCTION


class now(FunctionElement[float]):  # noqa: N801 - reads as SQL
    """The database's clock, see `app.db.clock`: the only one of timestamps, expiry and retention. It may be set."""

    type = Float()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT {CLOCK_FUNCTION}(max(\"offset\")) FROM clock WHERE boot_id = '{BOOT_ID}')"  # noqa: S608 - constants


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


class Base(DeclarativeBase):
    """The declarative base; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        dict[str, Any]: JSON,
        list[Any]: JSON,
        str: Text,
        float: Float(53),
        int: BigInteger,
    }


def table_of(row: type[Base]) -> Table:
    """Return the table of a class of rows, for statements that make no objects.

    Those that every request runs are built once, as constants of their module: that, and making no objects, saves most
    of their processor time.
    """
    return cast(Table, row.__table__)


def partial_index(name: str, condition: str, *columns: str) -> Index:
    """Return an index of the rows that fulfil a condition, written in SQL that both databases read."""
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))
