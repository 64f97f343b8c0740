// Another way to pack results (docs/ran/reference.md, Drain): a job never shares a beat, and beats leave through a second register.
//
// Simpler than rtl/ran/ran_pack.sv, and slower: make sim CHECK=value accepts it, CHECK=cycle names the first beat that
// is late (docs/guide/own_rtl.md).
module ran_pack #(
  parameter int Lanes = 16
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                quant_valid_i,
  input  logic [2:0]          quant_bits_i,
  input  logic [Lanes*64-1:0] quant_packed_i,
  input  logic [15:0]         quant_tag_i,
  input  logic [Lanes-1:0]    quant_mask_i,
  output logic                quant_take_o,
  output logic                merge_o,
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [127:0]        out_data_o,
  output logic                out_last_o,
  output logic [2:0]          out_bits_o,
  output logic [2:0]          out_jobs_o,
  output logic [16*((Lanes < 32) ? 32/Lanes : 1)-1:0]    out_tag_o,
  output logic [Lanes*((Lanes < 32) ? 32/Lanes : 1)-1:0] out_mask_o,
  output logic                busy_o
);
  localparam int Places = (Lanes < 32) ? 32 / Lanes : 1;

  // A job's 128-bit words still to go, lowest first.
  logic [Lanes*64-1:0] words;
  logic [4:0]          left;
  logic [2:0]          bits;
  logic [15:0]         tag;
  logic [Lanes-1:0]    mask;

  function automatic logic [4:0] words_of(input logic [2:0] format);
    case (format)
      3'd0:       words_of = 5'd1;
      3'd1:       words_of = (Lanes > 16) ? 5'd2 : 5'd1;
      3'd2, 3'd3: words_of = 5'(Lanes / 8);
      3'd4:       words_of = 5'(Lanes / 4);
      default:    words_of = 5'(Lanes / 2);
    endcase
  endfunction

  logic stage_valid, stage_last, stage_free, send;
  logic [127:0]     stage_data;
  logic [2:0]       stage_bits;
  logic [15:0]      stage_tag;
  logic [Lanes-1:0] stage_mask;
  logic out_free;
  assign out_free   = !out_valid_o || out_ready_i;
  assign stage_free = !stage_valid || out_free;
  assign send       = left != '0 && stage_free;
  assign quant_take_o = quant_valid_i && left == '0;
  assign merge_o = 1'b0;
  assign busy_o = left != '0 || stage_valid || out_valid_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left <= '0;
    end else if (quant_take_o) begin
      left <= words_of(quant_bits_i);
    end else if (send) begin
      left <= left - 5'd1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (quant_take_o) begin
      words <= quant_packed_i;
      bits  <= quant_bits_i;
      tag   <= quant_tag_i;
      mask  <= quant_mask_i;
    end else if (send) begin
      words <= words >> 128;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      stage_valid <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (stage_free) stage_valid <= send;
      if (out_free) out_valid_o <= stage_valid;
    end
  end
  always_ff @(posedge clk_i) begin
    if (send) begin
      stage_data <= words[127:0];
      stage_last <= left == 5'd1;
      stage_bits <= bits;
      stage_tag  <= tag;
      stage_mask <= mask;
    end
    if (out_free && stage_valid) begin
      out_data_o <= stage_data;
      out_last_o <= stage_last;
      out_bits_o <= stage_bits;
      out_jobs_o <= 3'd1;
      out_tag_o  <= (16*Places)'(stage_tag);
      out_mask_o <= (Lanes*Places)'(stage_mask);
    end
  end
endmodule
