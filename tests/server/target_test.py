"""What the target is like before a load, and what others did to it since the last one."""

import compare
import ferry
from case import quick

UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"


@quick
def test_names_differ_in_case_only(t):
    """TiDB's names do not mind case: refused before anything is made, both tables named."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "cases", "CREATE TABLE Users (id int PRIMARY KEY)", "CREATE TABLE users (id int PRIMARY KEY)",
               "CREATE TABLE other (id int PRIMARY KEY)", "INSERT INTO Users VALUES (1)", "INSERT INTO users VALUES (2)", options=UTF8)
    out = t.path("d")
    ferry.dump(source, out, "-f", "cases.*").must()
    t.gone_after(target, "cases")
    for more in (["--dry-run"], []):
        ferry.load(target, out, *more).must(1, ["FERRY-LOAD-SCHEMA", "cases.Users", "cases.users"])
        assert "cases" not in [r[0] for r in target.run("SHOW DATABASES")]
