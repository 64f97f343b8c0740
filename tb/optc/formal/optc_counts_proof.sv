// Counts of events at any value, with 1, 4 and 8 lanes: every beat that passes adds its events of a kind, a tensor begins with none.
module optc_counts_one #(
  parameter int Lanes = 4
) (
  input logic clk_i,
  input logic clear_i,
  input logic take_i,
  input logic [8*6-1:0] flags_i,
  input logic [7:0] live_i,
  input logic [2:0] kind_i
);
  localparam int CountW = optc_pkg::CountW;
  logic [6*CountW-1:0] counts;
  logic [CountW-1:0]   count, count_q;
  logic [3:0]          events, events_q;
  logic                known_q, clear_q;
  optc_counts #(.Lanes(Lanes)) u_counts (
    .clk_i, .rst_ni(1'b1), .clear_i, .take_i, .flags_i(flags_i[6*Lanes-1:0]), .live_i(live_i[Lanes-1:0]),
    .count_o(counts)
  );
  assign count = counts[CountW * kind_i +: CountW];
  always_comb begin
    events = '0;
    for (int l = 0; l < Lanes; l++) events = events + 4'(take_i && live_i[l] && flags_i[6*l + kind_i]);
  end
  initial known_q = 1'b0;
  always @(posedge clk_i) begin
    known_q  <= 1'b1;
    clear_q  <= clear_i;
    events_q <= events;
    count_q  <= count;
  end
  always @(posedge clk_i) if (known_q) begin
    counts_all: assert (count == (clear_q ? '0 : count_q + CountW'(events_q)));
    largest: cover (count == '1 && count_q != '1 && !clear_q);
    begins: cover (count == '0 && count_q == '1 && clear_q);
  end
endmodule

module optc_counts_proof (
  input logic clk_i
);
  (* anyseq *) logic clear, take;
  (* anyseq *) logic [8*6-1:0] flags;
  (* anyseq *) logic [7:0] live;
  (* anyconst *) logic [2:0] kind;
  always @(posedge clk_i) assume (kind < 3'd6);
  optc_counts_one #(.Lanes(1)) u_1 (
    .clk_i, .clear_i(clear), .take_i(take), .flags_i(flags), .live_i(live), .kind_i(kind)
  );
  optc_counts_one #(.Lanes(4)) u_4 (
    .clk_i, .clear_i(clear), .take_i(take), .flags_i(flags), .live_i(live), .kind_i(kind)
  );
  optc_counts_one #(.Lanes(8)) u_8 (
    .clk_i, .clear_i(clear), .take_i(take), .flags_i(flags), .live_i(live), .kind_i(kind)
  );
endmodule
