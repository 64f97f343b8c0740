// Collects the beats of one start value: `Words` bits at most, the lowest first (docs/ran/reference.md, Start values).
//
// The value is complete with the beat that has `last`. Missing beats leave zeros, further ones are dropped; both are an error.
module ran_words #(
  parameter int Width = 512
) (
  input  logic clk_i,
  input  logic rst_ni,

  input  logic         beat_i,        // a beat is transferred
  input  logic [127:0] data_i,
  input  logic         last_i,
  input  logic [4:0]   beats_i,       // beats of the whole value
  input  logic         clear_i,       // the value has been used (wins over a beat)

  output logic             done_o,    // with the last beat
  output logic [Width-1:0] words_o,   // with the beat of this cycle
  output logic             err_o      // pulse, one cycle after the last beat
);
  localparam int Beats = Width / 128;

  logic [Width-1:0] words_q;
  logic [4:0]       count_q;          // beats taken, one more than `beats_i` for all past the end

  assign done_o = beat_i && last_i;
  assign words_o = (beat_i && count_q < beats_i && 32'(count_q) < Beats) ?
                   words_q | (Width'(data_i) << {count_q, 7'd0}) : words_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      words_q <= '0;
      count_q <= '0;
      err_o   <= 1'b0;
    end else begin
      err_o <= done_o && (count_q != beats_i - 5'd1);
      if (clear_i) begin
        words_q <= '0;
      end else if (beat_i) begin
        words_q <= words_o;
      end
      if (done_o) begin
        count_q <= '0;
      end else if (beat_i && count_q < beats_i) begin
        count_q <= count_q + 5'd1;
      end
    end
  end
endmodule
