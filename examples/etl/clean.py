#!/usr/bin/env python3
"""Rewrites FILE.csv as FILE.clean.csv with whole cents, and prints the name of that; refuses what is no amount."""
import csv, decimal, pathlib, sys

source = pathlib.Path(sys.argv[1])
target = source.with_suffix(".clean.csv")
with source.open() as rows, target.open("w") as out:
    for row in csv.DictReader(rows):
        try:
            cents = int(decimal.Decimal(row["amount"]) * 100)
        except decimal.InvalidOperation:
            sys.exit(f"{source}: `{row['amount']}` is not an amount")
        print(row["id"], cents, sep=",", file=out)
print(target)
