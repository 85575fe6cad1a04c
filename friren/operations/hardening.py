"""
What a session could do to the triggers that check what it adds, and what keeps it from that.

Rights keep a bot from changing what is stored. That a new fact is dated in an open period, refers to its own account
and bears the next number, only triggers and functions see to, and they work within the bot's own session:

- pgtrigger asks a function in every trigger whether to skip it, which believes a setting that any session can set.
  It is replaced by one that believes the owner of the tables alone. (It is quicker, too: pgtrigger's own catches an
  error wherever nothing is set, which is a subtransaction for each row and trigger.)
- A temporary table hides one of ours of the same name. So the functions name the schema.

pgtrigger writes its functions anew with every trigger that a migration installs: this follows each migration.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import connections
from django.db.models.signals import post_migrate

__all__ = ["guard_triggers", "register"]

_OURS: Final = """
    SELECT pg_has_role(c.relowner, 'MEMBER'), p.prosrc LIKE '%pg_has_role%' FROM pg_class c CROSS JOIN pg_proc p
    WHERE c.oid = to_regclass('public.core_account')
        AND p.oid = to_regprocedure('public._pgtrigger_should_ignore(name)')
"""
_GUARD: Final = """
CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name name) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    ignored text := current_setting('pgtrigger.ignore', true);
BEGIN
    IF ignored IS NULL OR ignored = '' THEN
        RETURN false;
    END IF;
    RETURN pg_has_role((
        SELECT relowner FROM pg_catalog.pg_class WHERE oid = 'public.core_account'::regclass
    ), 'MEMBER') AND trigger_name = ANY (ignored::text[]);
END
$$
"""
_QUALIFY: Final = r"""
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT pg_get_functiondef(oid) AS definition FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
            AND (proname ~ '^pgtrigger_(period_open|same_account)'
                OR proname IN ('friren_closed_until', 'friren_next_seq'))
            AND prosrc ~ '(FROM "?[a-z_]+"? WHERE|nextval\(''[a-z_]+''\))'
    LOOP
        EXECUTE regexp_replace(
            regexp_replace(found.definition, 'FROM ("?[a-z_]+"?) WHERE', 'FROM public.\1 WHERE', 'g'),
            'nextval\(''([a-z_]+)''\)', 'nextval(''public.\1'')', 'g'
        );
    END LOOP;
END
$$
"""


def guard_triggers(using: str = "default") -> bool:
    """Replace the functions, in a database that has them and whose owner we are; return whether it is one."""
    with connections[using].cursor() as cursor:
        cursor.execute(_OURS)
        ours, guarded = cursor.fetchone() or (False, False)
        if not ours:
            return False
        if not guarded:
            cursor.execute(_GUARD)
        cursor.execute(_QUALIFY)
    return True


def register() -> None:
    """Follow each migration: triggers are guarded again, and roles get their rights on what is new."""
    post_migrate.connect(_follow, dispatch_uid=__name__)


def _follow(*, sender: Any, using: str, plan: Any = (), **_: Any) -> None:
    if sender.label != "operations":  # once, and not for each app
        return
    from friren.operations import grants

    # Several may find nothing left to migrate at the same time, and would replace the same functions.
    if plan and guard_triggers(using) and using == "default":
        grants.renew()
