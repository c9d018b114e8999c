#!/usr/bin/env python3
"""unload.py --day DAY: takes what load.py has loaded out of warehouse.db; nothing, if nothing is there."""
import sqlite3, sys

with sqlite3.connect("warehouse.db") as warehouse:
    warehouse.execute("create table if not exists sales (day text, file text, id integer, cents integer)")
    warehouse.execute("delete from sales where day = ?", [sys.argv[2]])
