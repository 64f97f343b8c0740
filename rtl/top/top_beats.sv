// Beats of a pass over `n_i` parameters, four a beat: ceil(n / 4).
module top_beats (
  input  logic [optc_pkg::CountW-1:0] n_i,
  output logic [top_pkg::BeatsW-1:0]  beats_o
);
  assign beats_o = {1'b0, n_i[optc_pkg::CountW-1:2]} + top_pkg::BeatsW'(n_i[1:0] != '0);
endmodule
