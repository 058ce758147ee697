"""What the files of office programs have in common: packages, drawings, formulas, numbers as they are shown."""
