"""Appeals 申诉 as people make and decide them: the list, who may file one, and what it would change in the figures."""
