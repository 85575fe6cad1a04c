"""
Questions to PostgreSQL's catalog about what belongs to the user of a database.

Asked with `search_path = pg_catalog`, so that every name comes out with its schema.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CATALOG", "MIGRATIONS", "ROLES", "SEQUENCES", "TABLES", "UNCOMPARED", "USER_OBJECTS"]


def _own(catalog: str, column: str) -> str:
    """Return the condition that an object `o` is neither PostgreSQL's nor of an extension."""
    return (
        f"{column} NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema') "
        "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' "
        f"AND d.classid = '{catalog}'::regclass AND d.objid = o.oid)"
    )


_RELATION: Final = _own("pg_class", "o.relnamespace")
_NAMED: Final = "JOIN pg_namespace n ON n.oid = o.relnamespace"

TABLES: Final = f"""
    SELECT n.nspname, o.relname FROM pg_class o {_NAMED}
    WHERE o.relkind IN ('r', 'p') AND NOT o.relispartition AND {_RELATION} ORDER BY 1, 2
"""
SEQUENCES: Final = f"""
    SELECT n.nspname, o.relname FROM pg_class o {_NAMED} WHERE o.relkind = 'S' AND {_RELATION} ORDER BY 1, 2
"""
MIGRATIONS: Final = "SELECT app || '.' || name FROM public.django_migrations"
# Roles live in the server, not in the database: a dump names them and does not hold them.
ROLES: Final = f"""
    SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND oid IN (
        SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
            AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION SELECT o.relowner FROM pg_class o WHERE {_RELATION}
        UNION SELECT nspowner FROM pg_namespace WHERE nspname !~ '^pg_'
    )
"""
UNCOMPARED: Final = f"""
    SELECT 'materialized views, made anew by a restore', count(*) FROM pg_class o
        WHERE relkind = 'm' AND {_RELATION}
    UNION ALL SELECT 'foreign tables, whose rows lie elsewhere', count(*) FROM pg_class o
        WHERE relkind = 'f' AND {_RELATION}
    UNION ALL SELECT 'large objects', count(*) FROM pg_largeobject_metadata
    UNION ALL SELECT 'tables of extensions', count(*) FROM pg_class o
        WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
        AND EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND d.classid = 'pg_class'::regclass
            AND d.objid = o.oid)
    UNION ALL SELECT 'roles (their passwords and memberships are the server''s)', count(*) FROM ({ROLES}) AS roles
"""
# What makes a database more than an empty one.
USER_OBJECTS: Final = f"SELECT count(*) FROM pg_class o WHERE {_RELATION}"

# By kind, name and definition of everything that a restore has to bring back.
CATALOG: Final = {
    "columns": f"""
        SELECT o.oid::regclass || '.' || a.attname, concat(format_type(a.atttypid, a.atttypmod), a.attnotnull,
            a.attidentity, a.attgenerated, pg_get_expr(e.adbin, e.adrelid))
        FROM pg_class o JOIN pg_attribute a ON a.attrelid = o.oid
            LEFT JOIN pg_attrdef e ON e.adrelid = o.oid AND e.adnum = a.attnum
        WHERE o.relkind IN ('r', 'p', 'c') AND a.attnum > 0 AND NOT a.attisdropped AND {_RELATION}
    """,
    "partitions": f"""
        SELECT o.oid::regclass::text, pg_get_expr(o.relpartbound, o.oid) FROM pg_class o
        WHERE o.relispartition AND o.relkind IN ('r', 'p') AND {_RELATION}
    """,
    # NOT NULL is a constraint of its own from PostgreSQL 18 on; the columns tell it.
    "constraints": f"""
        SELECT coalesce(nullif(o.conrelid, 0)::regclass::text, o.contypid::regtype::text) || ' ' || o.conname,
            concat(pg_get_constraintdef(o.oid), o.convalidated)
        FROM pg_constraint o WHERE o.contype <> 'n' AND o.conparentid = 0 AND {_own("pg_constraint", "o.connamespace")}
    """,
    "indexes": f"""
        SELECT o.oid::regclass::text, concat(pg_get_indexdef(o.oid), i.indisvalid, i.indisready)
        FROM pg_class o JOIN pg_index i ON i.indexrelid = o.oid WHERE {_RELATION}
    """,
    "triggers": f"""
        SELECT t.tgrelid::regclass || ' ' || t.tgname, concat(pg_get_triggerdef(t.oid), t.tgenabled)
        FROM pg_trigger t JOIN pg_class o ON o.oid = t.tgrelid
        WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND {_RELATION}
    """,
    "policies": f"""
        SELECT o.oid::regclass || ' ' || p.polname, concat(p.polcmd, p.polpermissive, o.relforcerowsecurity,
            (SELECT string_agg(r.rolname, ',' ORDER BY r.rolname COLLATE "C") FROM pg_roles r
                WHERE r.oid = ANY (p.polroles)),
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        FROM pg_policy p JOIN pg_class o ON o.oid = p.polrelid WHERE {_RELATION}
    """,
    "row security": f"""
        SELECT o.oid::regclass::text, concat(o.relrowsecurity, o.relforcerowsecurity) FROM pg_class o
        WHERE o.relkind IN ('r', 'p') AND (o.relrowsecurity OR o.relforcerowsecurity) AND {_RELATION}
    """,
    "views": f"""
        SELECT o.oid::regclass::text, pg_get_viewdef(o.oid) FROM pg_class o
        WHERE o.relkind IN ('v', 'm') AND {_RELATION}
    """,
    "functions": f"""
        SELECT o.oid::regprocedure::text, pg_get_functiondef(o.oid) FROM pg_proc o
        WHERE o.prokind IN ('f', 'p') AND {_own("pg_proc", "o.pronamespace")}
    """,
    "types": f"""
        SELECT o.oid::regtype::text, concat(o.typtype, (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)
            FROM pg_enum e WHERE e.enumtypid = o.oid))
        FROM pg_type o WHERE o.typtype IN ('e', 'd', 'r') AND {_own("pg_type", "o.typnamespace")}
    """,
    "extensions": "SELECT extname, '' FROM pg_extension",
    # MAINTAIN is a default of the owner from PostgreSQL 17 on.
    "grants": f"""
        SELECT o.oid::regclass::text, pg_get_userbyid(o.relowner) || ': ' || string_agg(
            CASE WHEN g.grantee = 0 THEN 'public' ELSE pg_get_userbyid(g.grantee) END
            || ' ' || g.privilege_type || g.is_grantable, ', ' ORDER BY g.grantee::regrole::text COLLATE "C",
            g.privilege_type COLLATE "C")
        FROM pg_class o CROSS JOIN LATERAL aclexplode(coalesce(o.relacl,
            acldefault(CASE o.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, o.relowner))) AS g
        WHERE o.relkind IN ('r', 'p', 'v', 'm', 'S') AND g.privilege_type <> 'MAINTAIN' AND {_RELATION}
        GROUP BY o.oid, o.relowner
    """,
}
