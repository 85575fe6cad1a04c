"""
The shell lines of the pages, run as a reader would: `python -m tests.documentation [PAGE…]`.

A block of `sh` or `console` is run line by line; below `$ …` of a `console` block stands what it prints, `…` for what
differs. A block of `python` with a title becomes the file of that name. Comments above a block tell what else there is:

    <!-- not run: REASON -->     it cannot be run here; it is counted and listed
    <!-- slow: REASON -->        run with --slow only
    <!-- before: COMMAND -->     what has to be there, and a reader has
    <!-- env: NAME=VALUE -->     set from here on, on this page
    <!-- exit: 1 -->             how its last line ends
"""
