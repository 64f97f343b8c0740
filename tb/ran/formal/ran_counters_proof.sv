// Counters of the RAN at any value, the wrap included (docs/ran/reference.md, Counters): proved with `make prove BLOCK=ran`.
//
// Registers start with anything at all. One counter is read all the time: what it holds is what it held, and what its event adds, modulo
// 2^32, or 0 after a clear. Data come two cycles after an event: one for the counter, one for the read port.
module ran_counters_proof (
  input logic clk_i
);
  localparam int Rows = 2;
  localparam int Counters = 13;
  (* anyconst *) logic        whole;      // a counter of the RAN, not of a row
  (* anyconst *) logic [3:0]  number;
  (* anyseq *)   logic        clear;
  (* anyseq *)   logic [4*Rows-1:0] row_event;
  (* anyseq *)   logic [13*6-1:0]   event_in;
  logic [2:0]  step_q;
  logic [8:0]  at;
  logic [31:0] data, data_q;
  logic [5:0]  adds, adds1_q, adds2_q;
  logic        clear1_q, clear2_q;
  assign at = whole ? {5'b10000, number} : {4'd0, number[3:2], 1'b0, number[1:0]};
  assign adds = whole ? event_in[6*number +: 6] : {5'd0, row_event[number[2:0]]};
  ran_counters #(.Rows(Rows)) u_counters (
    .clk_i, .rst_ni(1'b1), .ctr_addr_i(at), .ctr_data_o(data), .ctr_clear_i(clear), .row_event_i(row_event),
    .event_i(event_in)
  );
  always_comb assume (whole ? 32'(number) < Counters : 32'(number) < 4 * Rows);
  initial step_q = 3'd0;
  always @(posedge clk_i) begin
    if (step_q != 3'd4) step_q <= step_q + 3'd1;
    data_q <= data;
    {adds2_q, adds1_q} <= {adds1_q, adds};
    {clear2_q, clear1_q} <= {clear1_q, clear};
  end
  always @(posedge clk_i) if (step_q == 3'd4) begin
    counts: assert (data == (clear2_q ? 32'd0 : data_q + 32'(adds2_q)));
    wraps_of_a_row: cover (!whole && data == '0 && data_q == '1 && !clear2_q);
    wraps_of_all: cover (whole && data < 32'd9 && data_q[31] && !clear2_q);
    high: cover (data == 32'hffff_fff0 && adds2_q != '0);
  end
endmodule
