"""The data panels of the paper's Figs. 1 to 4, drawn for print from tables of the lake."""
