// Pack and out registers of the RAN (docs/ran/README.md: Formats, Pack and out).
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
  output logic                quant_take_o,   // the job moves into the pack register
  output logic                merge_o,        // and joins others there

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
  localparam int W = Lanes * 64;
  localparam int Places8 = (Lanes < 16) ? 16 / Lanes : 1;
  localparam int Beats8 = (Lanes > 16) ? Lanes / 16 : 1;

  logic          valid_q;
  logic [2:0]    bits_q, jobs_q;
  logic [W-1:0]  data_q;
  logic [4:0]    beats_q;        // beats still to go
  logic [16*Places-1:0]    tag_q;
  logic [Lanes*Places-1:0] mask_q;

  function automatic logic [2:0] places_of(input logic [2:0] bits);
    return (bits == ran_pkg::Y4) ? 3'(Places) : (bits == ran_pkg::Y8) ? 3'(Places8) : 3'd1;
  endfunction

  function automatic logic [4:0] beats_of(input logic [2:0] bits);
    return (bits == ran_pkg::Y4) ? 5'd1 : (bits == ran_pkg::Y8) ? 5'(Beats8) :
           (bits == ran_pkg::YRaw32) ? 5'(Lanes / 4) : (bits == ran_pkg::YRaw64) ? 5'(Lanes / 2) :
           5'(Lanes / 8);
  endfunction

  logic       same, free, emit, last, load;
  logic [6:0] place_at;          // bit of the merging job's first value
  assign same = quant_valid_i && valid_q && quant_bits_i == bits_q;
  assign merge_o = same && jobs_q < places_of(bits_q);
  assign free = !out_valid_o || out_ready_i;
  assign emit = valid_q && !merge_o && free;
  assign last = beats_q == 5'd1;
  assign load = quant_valid_i && (!valid_q || (emit && last));
  assign quant_take_o = load || merge_o;
  assign place_at = (bits_q == ran_pkg::Y4) ? 7'(Lanes * 4) * 7'(jobs_q) : 7'(Lanes * 8) * 7'(jobs_q);
  assign busy_o = valid_q || out_valid_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      bits_q  <= '0;
      jobs_q  <= '0;
      data_q  <= '0;
      beats_q <= '0;
      tag_q   <= '0;
      mask_q  <= '0;
    end else begin
      if (load) begin
        valid_q <= 1'b1;
        bits_q  <= quant_bits_i;
        jobs_q  <= 3'd1;
        data_q  <= quant_packed_i;
        beats_q <= beats_of(quant_bits_i);
        tag_q   <= (16*Places)'(quant_tag_i);
        mask_q  <= (Lanes*Places)'(quant_mask_i);
      end else if (merge_o) begin
        jobs_q  <= jobs_q + 3'd1;
        data_q  <= data_q | (quant_packed_i << place_at);
        tag_q   <= tag_q | ((16*Places)'(quant_tag_i) << {jobs_q, 4'd0});
        mask_q  <= mask_q | ((Lanes*Places)'(quant_mask_i) << (32'(jobs_q) * Lanes));
      end else if (emit) begin
        valid_q <= !last;
        data_q  <= data_q >> 128;
        beats_q <= beats_q - 5'd1;
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      out_valid_o <= 1'b0;
      out_data_o  <= '0;
      out_last_o  <= 1'b0;
      out_bits_o  <= '0;
      out_jobs_o  <= '0;
      out_tag_o   <= '0;
      out_mask_o  <= '0;
    end else if (free) begin
      out_valid_o <= emit;
      if (emit) begin
        out_data_o <= data_q[127:0];
        out_last_o <= last;
        out_bits_o <= bits_q;
        out_jobs_o <= jobs_q;
        out_tag_o  <= tag_q;
        out_mask_o <= mask_q;
      end
    end
  end
endmodule
