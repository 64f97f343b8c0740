// The plan table (docs/top/README.md, Commands): LAPS' answers, read by products, by the host and by stores.
module top_plans
  import laps_pkg::plan_t, top_pkg::slot_t;
(
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic                      write_i,
  input  logic [4:0]                write_slot_i,
  input  plan_t                     write_plan_i,
  input  logic [4:0]                slot_i,         // of a product
  output slot_t                    entry_o,
  input  logic [6:0]                word_i,         // of the table
  output logic [31:0]               word_o,
  input  logic [4:0]                record_slot_i,
  output logic [top_pkg::BeatW-1:0] record_o
);
  slot_t entry_q [top_pkg::PlanSlots];
  slot_t shown, recorded;
  logic [top_pkg::BeatW-1:0] words;
  assign entry_o = entry_q[slot_i];
  assign shown = entry_q[word_i[6:2]];
  assign recorded = entry_q[record_slot_i];
  assign words = top_pkg::plan_words(shown);
  assign word_o = words[{word_i[1:0], 5'd0} +: 32];
  assign record_o = top_pkg::plan_words(recorded);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int s = 0; s < top_pkg::PlanSlots; s++) entry_q[s] <= '0;
    end else if (write_i) begin
      entry_q[write_slot_i] <= {write_plan_i, 1'b1};
    end
  end
endmodule
