"""Reports 报表 for people: what was assessed, what happened. A report is a document; each format writes documents."""
