#!/usr/bin/env python3
"""load.py --day DAY FILE...: puts the rows of all files into warehouse.db, in one transaction; again means anew."""
import csv, sqlite3, sys

day, files = sys.argv[2], sys.argv[3:]
with sqlite3.connect("warehouse.db") as warehouse:
    warehouse.execute("create table if not exists sales (day text, file text, id integer, cents integer)")
    warehouse.execute("delete from sales where day = ?", [day])
    for file in files:
        with open(file) as rows:
            values = [(day, file, *row) for row in csv.reader(rows)]
            warehouse.executemany("insert into sales values (?, ?, ?, ?)", values)
    count, = warehouse.execute("select count(*) from sales where day = ?", [day]).fetchone()
print(f"{count} rows of {day} from {len(files)} files")
