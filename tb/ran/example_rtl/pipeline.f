// A pack register with another pipeline: every result is right and in order, in other cycles than the page's.
ran_pack.sv
