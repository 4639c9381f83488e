mod offences;
mod order;
mod values;
