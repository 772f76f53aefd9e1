"""AWS's public price files: which row of which file is the price of a key, and how the book is renewed from them.

The only part of the workbench that fetches anything, and only for `blueprint prices refresh`. The files need no
credentials: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-the-aws-price-list-bulk-api.html

    selectors.py   price key → price file, usage type and operation (`workbench/data/prices/selectors.json`)
    offers.py      one price file as CSV, read row by row: its version and its rows
    origins.py     where the files come from: AWS, or a folder of saved ones
    selection.py   the rows of a key → its tiers, or the finding that they are not one SKU
    books.py       the book of a region as a file: read, renewed, written at once or not at all
    refresh.py     all of it in order
"""
