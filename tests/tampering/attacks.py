"""Ways to forge a sealed database, each with what has to be named."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connections

from friren.operations.audit.blocks import Block, layout_of_row
from friren.operations.audit.blocks import Sealed as SealedBlock
from friren.operations.audit.keys import SigningKey
from friren.operations.audit.layout import Layout, layouts
from friren.operations.audit.leaves import leaf_of, pack
from friren.operations.audit.merkle import tree_root
from friren.operations.audit.rows import one_snapshot, read_rows
from friren.operations.models import AuditBlock
from tests.tampering.ground import BLOCKS, Fact, Sealed, all_columns, facts, multiply

__all__ = ["ATTACKS", "CHAIN_ATTACKS", "Named", "other_value"]

# By type of column, another value than the one it has.
OTHER = {
    "bigint": "coalesce({column}, 0) + 1",
    "integer": "coalesce({column}, 0) + 1",
    "smallint": "coalesce({column}, 0) + 1",
    "numeric": "coalesce({column}, 0) + {tiny}",
    "double precision": "coalesce({column}, 0) + 1",
    "boolean": "NOT coalesce({column}, false)",
    "text": "coalesce({column}, '') || 'x'",
    "character varying": "left(md5(coalesce({column}, '') || 'x'), 3)",
    "uuid": "gen_random_uuid()",
    "timestamp with time zone": "coalesce({column}, now()) + interval '1 microsecond'",
    "date": "coalesce({column}, current_date) + 1",
    "jsonb": "jsonb_build_object('forged', {column})",
    "ARRAY": "array_append({column}, 'forged')",
    "bytea": "sha256(coalesce({column}, ''))",
    "inet": "'192.0.2.1'",
}


@dataclasses.dataclass(frozen=True)
class Named:
    """
    What must be named as the first that is bad: one of these rows, and one of these columns, None for none.

    Attributes:
        ids: of rows of `table`.
    """

    table: str
    ids: frozenset[str]
    columns: frozenset[str | None] = frozenset({None})

    @classmethod
    def fact(cls, fact: Fact, *columns: str | None) -> Named:
        return cls(fact.table, frozenset({str(fact.id)}), frozenset(columns or {None}))

    @classmethod
    def block(cls, *seqs: int, columns: tuple[str | None, ...] = (None,)) -> Named:
        return cls(BLOCKS, frozenset(map(str, seqs)), frozenset(columns))


def other_value(sealed: Sealed, table: str, column: str) -> str:
    """SQL for another value of a column."""
    ((kind, scale),) = sealed.ask(
        "SELECT data_type, coalesce(numeric_scale, 0) FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = %s AND column_name = %s",
        table,
        column,
    )
    return OTHER[kind].format(column=f'"{column}"', tiny=f"1e-{scale}::numeric")


def edit(sealed: Sealed, chance: random.Random) -> Named:
    """One column of one row."""
    fact = chance.choice(facts(sealed))
    return edit_column(sealed, fact, chance.choice(layout_named(fact.table).columns))


def edit_column(sealed: Sealed, fact: Fact, column: str) -> Named:
    other = other_value(sealed, fact.table, column)
    ((key,),) = sealed.ask(f'UPDATE {fact.table} SET "{column}" = {other} WHERE id = %s RETURNING id', fact.id)
    if column == "id":
        return Named(fact.table, frozenset({str(key), str(fact.id)}))
    refers = any(one.column == column for one in layout_named(fact.table).references)
    # Another number may lie outside the block: then the row is gone from where it was.
    loose = {None} if refers or column == "recorded_seq" else set()
    return Named.fact(fact, column, *loose)


def edit_status(sealed: Sealed, chance: random.Random) -> Named:
    """A status, which is not sealed: its events are."""
    table, other = chance.choice([("trading_engine_trade", "busted"), ("trading_engine_order", "expired")])
    held = {key for (key,) in sealed.ask(f"SELECT id FROM {table} WHERE status <> %s", other)}
    fact = chance.choice([fact for fact in facts(sealed) if fact.id in held])
    sealed.ask(f"UPDATE {table} SET status = %s WHERE id = %s", other, fact.id)
    return Named.fact(fact, "status")


def edit_reference(sealed: Sealed, chance: random.Random) -> Named:
    """What a symbol or an account is, for all facts that refer to it."""
    found = []
    for layout in layouts():
        for one in layout.references:
            where = f"{one.column} IS NOT NULL"
            found += [
                (seq, layout, one, key, target)
                for seq, key, target in sealed.ask(
                    f"SELECT recorded_seq, id, {one.column} FROM {layout.table} "
                    f"WHERE recorded_seq <= {sealed.end} AND {where}"
                )
            ]
    _seq, _layout, reference, _key, target = chance.choice(found)
    column = chance.choice([name for name in reference.columns if name != reference.key])
    other = other_value(sealed, reference.table, column)
    sealed.ask(f'UPDATE {reference.table} SET "{column}" = {other} WHERE {reference.key} = %s', target)
    hit = min(
        (seq, layout.table, key, f"{one.column}.{column}")
        for seq, layout, one, key, to in found
        if one.table == reference.table and to == target
    )
    return Named.fact(Fact(hit[1], hit[2], hit[0]), hit[3])


def delete_middle(sealed: Sealed, chance: random.Random) -> Named:
    """One row, or some that follow one another."""
    every = facts(sealed)
    start = chance.randrange(len(every) - 10)
    gone = every[start : start + chance.randint(1, 9)]
    for fact in gone:
        sealed.ask(f"DELETE FROM {fact.table} WHERE id = %s", fact.id)
    return Named.fact(gone[0])


def delete_tail(sealed: Sealed, chance: random.Random) -> Named:
    """The newest blocks, and what they seal."""
    ((last,),) = sealed.ask(f"SELECT max(seq) FROM {BLOCKS}")
    since = last - chance.randrange(min(last, 30))
    gone = [
        fact
        for table, first, to in sealed.ask(f"SELECT table_name, first_seq, last_seq FROM {BLOCKS} WHERE seq >= {since}")
        for fact in facts(sealed, f"recorded_seq BETWEEN {first} AND {to}")
        if fact.table == table
    ]
    for fact in gone:
        sealed.ask(f"DELETE FROM {fact.table} WHERE id = %s", fact.id)
    sealed.ask(f"DELETE FROM {BLOCKS} WHERE seq >= {since}")
    return Named.fact(min(gone, key=lambda fact: fact.seq))


def insert(sealed: Sealed, chance: random.Random) -> Named:
    """A copy of a row, with a number among the sealed ones."""
    like = chance.choice(facts(sealed))
    columns = all_columns(sealed.session, layout_named(like.table))
    own = {"id": "gen_random_uuid()", "recorded_seq": str(chance.randint(-1, sealed.end))}
    values = ", ".join(own.get(name, f'"{name}"') for name in columns)
    listed = ", ".join(f'"{name}"' for name in columns)
    ((key,),) = sealed.ask(
        f"INSERT INTO {like.table} ({listed}) SELECT {values} FROM {like.table} WHERE id = %s RETURNING id", like.id
    )
    return Named(like.table, frozenset({str(key)}))


def reorder(sealed: Sealed, chance: random.Random) -> Named:
    """Two rows of a table change places."""
    one = chance.choice(facts(sealed))
    other = chance.choice([fact for fact in facts(sealed) if fact.table == one.table and fact.id != one.id])
    sealed.ask(f"UPDATE {one.table} SET recorded_seq = {other.seq} WHERE id = %s", one.id)
    sealed.ask(f"UPDATE {one.table} SET recorded_seq = {one.seq} WHERE id = %s", other.id)
    # In blocks of their own each is gone from its place, and the other was put there.
    ids = frozenset({str(one.id), str(other.id)})
    return Named(one.table, ids, frozenset({None, "recorded_seq"}))


def rehash(sealed: Sealed, chance: random.Random) -> Named:
    """A row is edited or removed, and everything that follows is computed anew, down to the signatures."""
    fact = chance.choice(facts(sealed))
    if chance.random() < 0.3:
        sealed.ask(f"DELETE FROM {fact.table} WHERE id = %s", fact.id)
        named = Named.fact(fact)
    else:
        column = chance.choice([name for name in layout_named(fact.table).columns if name not in KEYS])
        named = edit_column(sealed, fact, column)
        sealed.ask(f"UPDATE {fact.table} SET digest = substr(sha256(digest), 1, 16) WHERE id = %s", fact.id)
    rewrite_chain(sealed, keeps_key_id=chance.random() < 0.5)
    return named


KEYS = ("id", "recorded_seq", "digest")


def rewrite_chain(sealed: Sealed, *, keeps_key_id: bool) -> None:
    """Compute the whole chain from the rows that are there, and sign it with another key."""
    key, previous = SigningKey(Ed25519PrivateKey.generate()), bytes(32)
    forged = []
    with one_snapshot("default"):
        for row in AuditBlock.objects.order_by("seq"):
            layout = layout_of_row(row)
            rows = read_rows(layout, row.first_seq, row.last_seq, using="default", keep_text=True)
            leaves = pack(leaf_of(one, layout) for one in rows)
            old = SealedBlock.of_row(row).block
            block = Block(
                seq=old.seq, sealed_at=old.sealed_at, table=old.table, first_seq=old.first_seq, last_seq=old.last_seq,
                row_count=len(rows), merkle_root=tree_root([one.leaf for one in rows]).hex(),
                leaves_digest=hashlib.sha256(leaves).hexdigest(), layout_digest=old.layout_digest,
                previous_hash=previous.hex(), key_id=old.key_id if keeps_key_id else key.id,
            )  # fmt: skip
            previous = block.hash
            forged.append(SealedBlock(block=block, hash=previous.hex(), signature=key.sign(previous).hex()))
            forged[-1] = forged[-1].row(layout, leaves)
    sealed.ask(f"DELETE FROM {BLOCKS}")
    with connections["default"].cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        AuditBlock.objects.bulk_create(forged)
        cursor.execute("RESET session_replication_role")


def roll_back(sealed: Sealed, chance: random.Random) -> Named:
    """All is as it was at an earlier seal; sometimes life has gone on from there."""
    present = facts(sealed)
    sealed.restore(chance.choice(sealed.states[:-1]))
    left = {fact.id for fact in facts(sealed)}
    if chance.random() < 0.5:
        multiply(sealed.session, 50, chance)
    return Named.fact(next(fact for fact in present if fact.id not in left))


def edit_block(sealed: Sealed, chance: random.Random) -> Named:
    """One column of one block."""
    ((seq,),) = sealed.ask(f"SELECT seq FROM {BLOCKS} ORDER BY md5(seq::text || '{chance.random()}') LIMIT 1")
    names = [field.column for field in AuditBlock._meta.concrete_fields]
    column = chance.choice(names)
    if column == "seq":
        ((other,),) = sealed.ask(f"UPDATE {BLOCKS} SET seq = seq + 100000 WHERE seq = {seq} RETURNING seq")
        return Named.block(seq, other)
    sealed.ask(f'UPDATE {BLOCKS} SET "{column}" = {other_value(sealed, BLOCKS, column)} WHERE seq = {seq}')
    return Named.block(seq, columns=(None, "layout", "leaves"))


def swap_blocks(sealed: Sealed, chance: random.Random) -> Named:
    """Two blocks change places."""
    one, other = chance.sample([seq for (seq,) in sealed.ask(f"SELECT seq FROM {BLOCKS}")], 2)
    for old, new in ((one, -1), (other, one), (-1, other)):
        sealed.ask(f"UPDATE {BLOCKS} SET seq = {new} WHERE seq = {old}")
    return Named.block(one, other)


def delete_blocks(sealed: Sealed, chance: random.Random) -> Named:
    """A block, or all of them; the facts stay."""
    seqs = sorted(seq for (seq,) in sealed.ask(f"SELECT seq FROM {BLOCKS}"))
    gone = seqs if chance.random() < 0.2 else [chance.choice(seqs)]
    sealed.ask(f"DELETE FROM {BLOCKS} WHERE seq = ANY(%s)", gone)
    return Named.block(*gone)


def forge_block(sealed: Sealed, _chance: random.Random) -> Named:
    """A new block of made-up facts, signed with another key."""
    key = SigningKey(Ed25519PrivateKey.generate())
    row = AuditBlock.objects.order_by("seq").last()
    last = SealedBlock.of_row(row)
    values = {name: getattr(last.block, name) for name in last.block.__struct_fields__}
    values |= {"seq": last.block.seq + 1, "first_seq": sealed.end + 1, "last_seq": sealed.end + 5, "key_id": key.id}
    block = Block(**values | {"previous_hash": last.hash})
    forged = SealedBlock(block=block, hash=block.hash.hex(), signature=key.sign(block.hash).hex())
    forged.row(layout_of_row(row), bytes(row.leaves)).save(force_insert=True)
    return Named.block(block.seq)


def layout_named(table: str) -> Layout:
    return next(layout for layout in layouts() if layout.table == table)


Attack = Callable[[Sealed, random.Random], Named]
# Of rows: found by the leaves in the database too.
ATTACKS: tuple[Attack, ...] = (edit, edit_status, edit_reference, delete_middle, insert, reorder)
# Of the chain: found by what was exported.
CHAIN_ATTACKS: tuple[Attack, ...] = (
    delete_tail, rehash, roll_back, edit_block, swap_blocks, delete_blocks, forge_block,
)  # fmt: skip
